// SPDX-License-Identifier: GPL-2.0
/*
 * A provider of configfs-tsm reports for machines without SEV-SNP or TDX. TEST ONLY: what it hands
 * out is what the host answers, so a kernel with it vouches for nothing. Production has no such file.
 *
 * Each report is one vsock connection to the host (CID 2, port 5002):
 *
 *	to the host	version = 1, privilege level, length of the inblob, 0; the inblob
 *	from the host	status (0 or a positive errno), lengths of outblob, auxblob and manifestblob;
 *			the blobs
 *
 * Numbers are 32 bits, little-endian. Reading a report blocks meanwhile, as it does with the real
 * providers; after ten seconds without an answer it fails with ETIMEDOUT.
 *
 * Made for 6.12, and for 6.17 and later, where the names of the interface are others.
 */

#define pr_fmt(fmt) "mock_tsm: " fmt

#include <linux/in.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <linux/sockptr.h>
#include <linux/string.h>
#include <linux/tsm.h>
#include <linux/version.h>
#include <linux/vm_sockets.h>
#include <net/sock.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
#define mock_ops_type		tsm_report_ops
#define mock_register		tsm_report_register
#define mock_unregister		tsm_report_unregister
#else
#define mock_ops_type		tsm_ops
#define mock_register		tsm_register
#define mock_unregister		tsm_unregister
#endif

#define MOCK_PORT		5002
#define MOCK_VERSION		1
#define MOCK_TIMEOUT_S		10
#define MOCK_INBLOB_BYTES	64
#define MOCK_BLOB_MAX_BYTES	262144
#define MOCK_STATUS_MAX		4095	/* MAX_ERRNO */

struct mock_question {
	__le32 version;
	__le32 privlevel;
	__le32 inblob_len;
	__le32 zero;
	u8 inblob[MOCK_INBLOB_BYTES];
};

struct mock_answer {
	__le32 status;
	__le32 outblob_len;
	__le32 auxblob_len;
	__le32 manifestblob_len;
};

static char *provider = "sev_guest";
module_param(provider, charp, 0444);
MODULE_PARM_DESC(provider, "the provider to stand in for: sev_guest or tdx_guest");

static bool stands_in_for_snp(void)
{
	return !strcmp(provider, "sev_guest");
}

static int mock_connect(struct socket *sock)
{
	struct __kernel_sock_timeval patience = { .tv_sec = MOCK_TIMEOUT_S };
	struct sockaddr_vm host = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_HOST,
		.svm_port = MOCK_PORT,
	};
	int rc;

	rc = sock->ops->setsockopt(sock, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW,
				   KERNEL_SOCKPTR(&patience), sizeof(patience));
	if (rc)
		return rc;

	lock_sock(sock->sk);
	sock->sk->sk_sndtimeo = MOCK_TIMEOUT_S * HZ;
	sock->sk->sk_rcvtimeo = MOCK_TIMEOUT_S * HZ;
	release_sock(sock->sk);

	return kernel_connect(sock, (void *)&host, sizeof(host), 0);
}

static int mock_send(struct socket *sock, void *data, size_t len)
{
	while (len) {
		struct msghdr msg = { .msg_flags = MSG_NOSIGNAL };
		struct kvec piece = { .iov_base = data, .iov_len = len };
		int sent = kernel_sendmsg(sock, &msg, &piece, 1, len);

		if (sent < 0)
			return sent == -EAGAIN ? -ETIMEDOUT : sent;
		data += sent;
		len -= sent;
	}
	return 0;
}

static int mock_receive(struct socket *sock, void *data, size_t len)
{
	while (len) {
		struct msghdr msg = {};
		struct kvec piece = { .iov_base = data, .iov_len = len };
		int got = kernel_recvmsg(sock, &msg, &piece, 1, len, 0);

		if (got < 0)
			return got == -EAGAIN ? -ETIMEDOUT : got;
		if (!got)
			return -EPROTO;
		data += got;
		len -= got;
	}
	return 0;
}

/* The core frees the blob with the report, or when the report is asked for again. */
static int mock_receive_blob(struct socket *sock, __le32 announced, u8 **blob, size_t *blob_len)
{
	size_t len = le32_to_cpu(announced);
	u8 *data;
	int rc;

	if (!len)
		return 0;
	if (len > MOCK_BLOB_MAX_BYTES)
		return -EPROTO;

	data = kvzalloc(len, GFP_KERNEL);
	if (!data)
		return -ENOMEM;

	rc = mock_receive(sock, data, len);
	if (rc) {
		kvfree(data);
		return rc;
	}
	*blob = data;
	*blob_len = len;
	return 0;
}

static int mock_ask(struct socket *sock, struct tsm_report *report)
{
	struct mock_question question = {
		.version = cpu_to_le32(MOCK_VERSION),
		.privlevel = cpu_to_le32(report->desc.privlevel),
		.inblob_len = cpu_to_le32(report->desc.inblob_len),
	};
	struct mock_answer answer;
	int rc;

	if (report->desc.inblob_len != sizeof(question.inblob))
		return -EINVAL;
	memcpy(question.inblob, report->desc.inblob, sizeof(question.inblob));

	rc = mock_connect(sock);
	if (rc)
		return rc;
	rc = mock_send(sock, &question, sizeof(question));
	if (rc)
		return rc;
	rc = mock_receive(sock, &answer, sizeof(answer));
	if (rc)
		return rc;
	if (le32_to_cpu(answer.status) > MOCK_STATUS_MAX)
		return -EPROTO;
	if (answer.status)
		return -(int)le32_to_cpu(answer.status);

	rc = mock_receive_blob(sock, answer.outblob_len, &report->outblob, &report->outblob_len);
	if (rc)
		return rc;
	rc = mock_receive_blob(sock, answer.auxblob_len, &report->auxblob, &report->auxblob_len);
	if (rc)
		return rc;
	return mock_receive_blob(sock, answer.manifestblob_len, &report->manifestblob,
				 &report->manifestblob_len);
}

static int mock_report_new(struct tsm_report *report, void *data)
{
	struct socket *sock;
	int rc;

	rc = sock_create_kern(&init_net, AF_VSOCK, SOCK_STREAM, 0, &sock);
	if (rc)
		return rc;
	rc = mock_ask(sock, report);
	sock_release(sock);
	return rc;
}

static bool mock_attr_visible(int n)
{
	switch (n) {
	case TSM_REPORT_GENERATION:
	case TSM_REPORT_PROVIDER:
		return true;
	case TSM_REPORT_PRIVLEVEL:
	case TSM_REPORT_PRIVLEVEL_FLOOR:
		return stands_in_for_snp();
	}
	return false;
}

static bool mock_bin_attr_visible(int n)
{
	switch (n) {
	case TSM_REPORT_INBLOB:
	case TSM_REPORT_OUTBLOB:
		return true;
	case TSM_REPORT_AUXBLOB:
		return stands_in_for_snp();
	}
	return false;
}

static struct mock_ops_type mock_ops = {
	.report_new = mock_report_new,
	.report_attr_visible = mock_attr_visible,
	.report_bin_attr_visible = mock_bin_attr_visible,
};

static int __init mock_tsm_init(void)
{
	int rc;

	if (!stands_in_for_snp() && strcmp(provider, "tdx_guest"))
		return -EINVAL;

	mock_ops.name = provider;
	rc = mock_register(&mock_ops, NULL);
	if (rc)
		return rc;
	pr_warn("reports as %s come from the host and prove nothing\n", provider);
	return 0;
}

static void __exit mock_tsm_exit(void)
{
	mock_unregister(&mock_ops);
}

/* After the real providers, so that on their hardware registering fails with EBUSY. */
late_initcall(mock_tsm_init);
module_exit(mock_tsm_exit);

MODULE_DESCRIPTION("Mock provider of TSM reports, answered by the host (test only)");
MODULE_LICENSE("GPL");
