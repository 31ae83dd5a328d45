//! Descriptions of real clients, and what is wrong with others.

mod bounds;
mod candidates;
mod flaws;
mod properties;
mod real_clients;

use std::fs;
use std::path::Path;

use super::{Bounds, Description, Invalid};

const BOUNDS: Bounds = Bounds { media: 32, candidates: 1000 };

/// An offer that is right, to be changed into one that is not.
const OFFER: &str = "v=0\r\n\
o=- 1 2 IN IP4 127.0.0.1\r\n\
s=-\r\n\
t=0 0\r\n\
m=video 9 UDP/TLS/RTP/SAVPF 96\r\n\
c=IN IP4 0.0.0.0\r\n\
a=mid:0\r\n\
a=ice-ufrag:abcd\r\n\
a=ice-pwd:0123456789abcdefghijkl\r\n\
a=fingerprint:sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB\r\n\
a=setup:actpass\r\n\
a=candidate:1 1 udp 2130706431 203.0.113.10 5000 typ host\r\n";

fn check(text: &str) -> Result<(), Invalid> {
    Description::parse(text, &BOUNDS)?.check_offer()
}

/// Name and text of each recorded or written offer.
pub(super) fn real_offers() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/offers");
    let mut offers = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "sdp") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            offers.push((name, fs::read_to_string(path).unwrap()));
        }
    }
    assert!(offers.len() >= 20, "offers of real clients");
    offers
}
