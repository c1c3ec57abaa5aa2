//! The pages that browsers are shown: one folder each, and `shared/` for what they have in common.
//!
//! `build.rs` joins a folder into one file without any outside resource, and packs it with gzip.
//! Only that is in the binary: a client that does not take gzip gets what comes out of it.

use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

/// Length of what stands before the compressed bytes: a gzip head without any optional field (RFC
/// 1952 §2.3).
const GZIP_HEAD_BYTES: usize = 10;

/// A page in one piece: its script and its style are in it.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// The directives of a Content-Security-Policy that let this script and this style run, by
    /// their hashes, and no other.
    pub sources: &'static str,
    /// The page, packed with gzip.
    pub packed: &'static [u8],
    /// Length of the page in bytes.
    length: usize,
}

include!(concat!(env!("OUT_DIR"), "/pages.rs"));

impl Page {
    /// The page as it was before it was packed.
    #[must_use]
    pub fn unpack(&self) -> Vec<u8> {
        let mut page = vec![0; self.length];
        let packed = self.packed.get(GZIP_HEAD_BYTES..).unwrap_or_default();
        // Whatever the decompressor does not read is the trailer.
        let flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        decompress(&mut DecompressorOxide::new(), packed, &mut page, 0, flags);
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What all pages may take of the binary, in bytes.
    const PACKED_BYTES_MAX: usize = 120 * 1024;

    const ALL: [Page; 4] = [CHAT, CONSOLE, DRAW, STATUS];

    fn text(page: &Page) -> String {
        String::from_utf8(page.unpack()).unwrap()
    }

    #[test]
    fn pages_come_out_whole() {
        for page in &ALL {
            let text = text(page);
            assert!(text.starts_with("<!doctype html>\n") && text.ends_with("</html>\n"), "{text}");
        }
        let packed = ALL.iter().map(|page| page.packed.len()).sum::<usize>();
        assert!(packed <= PACKED_BYTES_MAX, "{packed} bytes");
    }

    /// What the policy would not let through, or the machine might have no network for.
    #[test]
    fn pages_need_nothing_from_outside() {
        for page in &ALL {
            let text = text(page);
            for element in ["<style>", "</style>", "<script>", "</script>"] {
                assert_eq!(text.matches(element).count(), 1, "{element} in {text}");
            }
            let (markup, _) = text.split_once("<script>").unwrap();
            let (head, body) = markup.split_once("<style>").unwrap();
            let (style, body) = body.split_once("</style>").unwrap();
            let markup = [head, body].concat();
            for attribute in [" style=", " src=", " onclick=", " onsubmit=", " oninput="] {
                assert!(!markup.contains(attribute), "{attribute} in {markup}");
            }
            assert!(!style.contains("url(") && !style.contains("@import"), "{style}");
            let links = head.matches("href=").count();
            assert_eq!(links, head.matches("href=\"data:").count(), "{head}");
        }
    }

    #[test]
    fn script_and_style_run_by_their_hashes_alone() {
        for page in &ALL {
            let hashes = page.sources.matches("-src 'sha256-").count();
            assert_eq!((hashes, page.sources.matches('\'').count()), (2, 4), "{}", page.sources);
        }
        assert_ne!(CONSOLE.sources, CHAT.sources);
    }
}
