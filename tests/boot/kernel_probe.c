// SPDX-License-Identifier: Apache-2.0
/*
 * The whole user space of a boot that asks the kernel about itself: one line "probe NAME: VALUE" an
 * answer. A call that fails is answered with the name of its error. It speaks to the host over
 * vsock where there is one, else on the console, and then switches the machine off. Two words of the
 * command line change that: probe.calls counts the system calls too, probe.stay leaves it on.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT 5003
#define TEXT_MAX_BYTES 8192
#define CALLS 470 /* beyond the last one of 6.12 */
#define CALL_MAX_S 1
#define CLOCK "/sys/devices/system/clocksource/clocksource0/current_clocksource"
#define CLOCK_MAX_S 20
#define ABSENT 77

static void tell_number(const char *name, long result)
{
	if (result < 0)
		printf("probe %s: %s\n", name, strerrorname_np(errno));
	else
		printf("probe %s: %ld\n", name, result);
	fflush(stdout);
}

static int read_file(const char *path, char *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, TEXT_MAX_BYTES - 1);

	if (fd >= 0)
		close(fd);
	if (got < 0)
		return -1;
	text[got] = 0;
	return 0;
}

static void tell_file(const char *path)
{
	char text[TEXT_MAX_BYTES];

	if (read_file(path, text)) {
		tell_number(path, -1);
		return;
	}
	for (char *c = text; *c; c++)
		if (*c == '\n')
			*c = c[1] ? '|' : 0;
	printf("probe %s: %s\n", path, text);
	fflush(stdout);
}

static void tell_folder(const char *path)
{
	struct dirent **names;
	int count = scandir(path, &names, NULL, alphasort);

	printf("probe %s:", path);
	for (int i = 0; i < count; i++)
		if (names[i]->d_name[0] != '.')
			printf(" %s", names[i]->d_name);
	printf("\n");
	fflush(stdout);
}

/* Each system call once, in a process of its own; ENOSYS is what an absent one answers. */
static void tell_calls(void)
{
	long there = 0;

	for (int number = 0; number < CALLS; number++) {
		int status;
		pid_t child = fork();

		if (!child) {
			setpgid(0, 0);
			alarm(CALL_MAX_S);
			long result = syscall(number, -1L, -1L, -1L, -1L, -1L, -1L);
			_exit(result == -1 && errno == ENOSYS ? ABSENT : 0);
		}
		waitpid(child, &status, 0);
		kill(-child, SIGKILL);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		there += !(WIFEXITED(status) && WEXITSTATUS(status) == ABSENT);
	}
	tell_number("calls", there);
}

static void speak_to_the_host(void)
{
	struct sockaddr_vm host = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_HOST,
		.svm_port = PORT,
	};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && !connect(fd, (struct sockaddr *)&host, sizeof(host)))
		dup2(fd, STDOUT_FILENO);
}

/* The processor's timer is compared with another one for a second before it is the clock. */
static void await_the_clock(void)
{
	char text[TEXT_MAX_BYTES];

	for (int i = 0; i < CLOCK_MAX_S * 10; i++) {
		if (read_file(CLOCK, text) || strcmp(text, "tsc-early\n"))
			return;
		usleep(100000);
	}
}

int main(void)
{
	static const struct { const char *what, *where; } mounts[] = {
		{ "proc", "/proc" },
		{ "sysfs", "/sys" },
		{ "devtmpfs", "/dev" },
		{ "securityfs", "/sys/kernel/security" },
		{ "configfs", "/sys/kernel/config" },
		{ "cgroup2", "/sys/fs/cgroup" },
	};
	static const char *const files[] = {
		"/proc/sys/kernel/osrelease",
		"/proc/consoles",
		"/proc/filesystems",
		"/proc/modules",
		"/proc/swaps",
		"/proc/sys/fs/suid_dumpable",
		"/proc/sys/kernel/core_pattern",
		"/proc/sys/kernel/io_uring_disabled",
		"/proc/sys/kernel/kexec_load_disabled",
		"/proc/sys/kernel/modules_disabled",
		"/proc/sys/kernel/sysrq",
		"/proc/sys/kernel/yama/ptrace_scope",
		"/proc/sys/vm/memfd_noexec",
		"/proc/sys/vm/unprivileged_userfaultfd",
		CLOCK,
		"/sys/fs/cgroup/cgroup.controllers",
		"/sys/kernel/security/lockdown",
		"/sys/kernel/security/lsm",
	};
	static const char *const folders[] = {
		"/dev",
		"/sys/bus/acpi/devices",
		"/sys/bus/pci/drivers",
		"/sys/bus/virtio/drivers",
		"/sys/class/net",
		"/sys/firmware/acpi/tables",
	};
	char text[TEXT_MAX_BYTES];
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	for (size_t i = 0; i < sizeof(mounts) / sizeof(*mounts); i++) {
		mkdir(mounts[i].where, 0755);
		mount(mounts[i].what, mounts[i].where, mounts[i].what, 0, NULL);
	}
	speak_to_the_host();
	await_the_clock();
	tell_number("start ms", now.tv_sec * 1000 + now.tv_nsec / 1000000);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		tell_file(files[i]);
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		tell_folder(folders[i]);
	tell_number("report", mkdir("/sys/kernel/config/tsm/report/a", 0755));
	tell_file("/sys/kernel/config/tsm/report/a/provider");
	tell_number("landlock", syscall(SYS_landlock_create_ruleset, NULL, 0, 1));
	tell_number("sealed memory", memfd_create("a", MFD_CLOEXEC | MFD_ALLOW_SEALING) < 0 ? -1 : 0);
	tell_number("namespaces", unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS));
	tell_number("user namespace", unshare(CLONE_NEWUSER));
	tell_number("TCP", socket(AF_INET, SOCK_STREAM, 0));
	tell_number("raw frames", socket(AF_PACKET, SOCK_RAW, 0));
	tell_number("/dev/mem", open("/dev/mem", O_RDONLY | O_CLOEXEC));
	if (read_file("/proc/cmdline", text))
		return 1;
	if (strstr(text, "probe.calls"))
		tell_calls();
	printf("probe end: 0\n");
	fflush(stdout);
	if (strstr(text, "probe.stay"))
		pause();
	reboot(RB_POWER_OFF);
	return 1;
}
