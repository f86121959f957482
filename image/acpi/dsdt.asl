// SPDX-License-Identifier: Apache-2.0
// All the AML that our kernel runs: one PCI bus and how to switch the machine off (ACPI 6.5 §19).
//
// The host's own tables with bytecode are not loaded (image/kernel/patches), because on SEV-SNP
// nothing measures them and on TDX only RTMR0 does. There are no methods and no operation regions
// here, so there is nothing to run: only names that the kernel reads.

DefinitionBlock ("dsdt.aml", "DSDT", 2, "SEALRM", "SEALROOM", 0x00000001)
{
    // The value of SLP_TYP that switches q35 off; the register is in the host's FADT.
    Name (\_S5, Package () { 0x00, 0x00, 0x00, 0x00 })

    Scope (\_SB)
    {
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_CID, EisaId ("PNP0A03"))
            Name (_UID, 0)
            Name (_SEG, 0)
            Name (_BBN, 0)

            // What is between RAM and the interrupt controllers whatever the size of the RAM is,
            // but for where firmware puts configuration space (0xB0000000 or 0xE0000000). The
            // kernel moves a device here that firmware has put elsewhere.
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0x0000, 0x0000, 0x00FF, 0x0000, 0x0100)
                IO (Decode16, 0x0CF8, 0x0CF8, 0x01, 0x08)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0x0000, 0x0000, 0x0CF7, 0x0000, 0x0CF8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0x0000, 0x0D00, 0xFFFF, 0x0000, 0xF300)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
                    NonCacheable, ReadWrite,
                    0x00000000, 0xC0000000, 0xDFFFFFFF, 0x00000000, 0x20000000)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
                    NonCacheable, ReadWrite,
                    0x00000000, 0xF0000000, 0xFEBFFFFF, 0x00000000, 0x0EC00000)
            })
        }
    }
}
