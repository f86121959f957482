// SPDX-License-Identifier: Apache-2.0
//! MRTD of TDVF images, hashed by Microsoft's crate `igvm`: `mrtd FILE…` prints one a line.
//!
//! The metadata is found by its GUID, and not by the table at the image's end as `attest` does.
//! What `igvm` hashes is a list of pages, each measured or not, in the order of a single pass.

use igvm::measurement::generate_tdx_measurement;
use igvm::IgvmDirectiveHeader;
use igvm_defs::{IgvmPageDataFlags, IgvmPageDataType};

const PAGE: usize = 4096;
// e9eaf9f3-168e-44d5-a8eb-7f4d8738f6ae, then the descriptor.
const MARK: [u8; 20] = *b"\xf3\xf9\xea\xe9\x8e\x16\xd5\x44\xa8\xeb\x7f\x4d\x87\x38\xf6\xaeTDVF";
const EXTEND: u32 = 1;
const AUG: u32 = 2;

fn word(image: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(image[at..at + 4].try_into().unwrap())
}

fn long(image: &[u8], at: usize) -> usize {
    u64::from_le_bytes(image[at..at + 8].try_into().unwrap()) as usize
}

fn mrtd(image: &[u8]) -> String {
    let found: Vec<usize> = image.windows(MARK.len()).enumerate().filter(|(_, w)| *w == MARK).map(|(at, _)| at).collect();
    assert_eq!(found.len(), 1, "one descriptor");
    let descriptor = found[0] + 16;
    let mut pages = Vec::new();
    for number in 0..word(image, descriptor + 12) as usize {
        let at = descriptor + 16 + 32 * number;
        let (offset, raw) = (word(image, at) as usize, word(image, at + 4) as usize);
        let (gpa, size, attributes) = (long(image, at + 8), long(image, at + 16), word(image, at + 28));
        if attributes & AUG != 0 {
            continue;
        }
        let mut content = image[offset..offset + raw].to_vec();
        content.resize(size, 0);
        for (index, page) in content.chunks(PAGE).enumerate() {
            pages.push(IgvmDirectiveHeader::PageData {
                gpa: (gpa + index * PAGE) as u64,
                compatibility_mask: 1,
                flags: IgvmPageDataFlags::new().with_unmeasured(attributes & EXTEND == 0),
                data_type: IgvmPageDataType::NORMAL,
                data: page.to_vec(),
            });
        }
    }
    let digest = generate_tdx_measurement(&pages, 1).expect("pages of 4 KiB");
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn main() {
    for name in std::env::args().skip(1) {
        println!("{}  {name}", mrtd(&std::fs::read(&name).expect("a file")));
    }
}
