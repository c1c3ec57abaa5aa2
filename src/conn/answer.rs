//! Plain answers: what is given to a request that asks for no upgrade.

use super::Context;
use crate::http::{self, Answer, Head, Media, Status, write_answer, write_options};
use crate::pages::{self, Page};
use crate::peer::Peer;
use crate::service::MOUNTED;
use crate::service::mirror::mirror;

/// Puts an answer into [`Context::scratch`].
pub(super) fn give(answer: Answer, head: &Head<'_>, peer: Peer, cx: &mut Context) {
    let head_only = head.method() == "HEAD";
    let out = &mut cx.scratch;
    match answer {
        Answer::Page => show(out, &pages::CONSOLE, head),
        Answer::ServicePage(place) => {
            let page = MOUNTED.get(place).and_then(|mounted| mounted.page);
            show(out, page.unwrap_or(&pages::CONSOLE), head);
        }
        Answer::Info => {
            let text = mirror(head, peer, cx.config.mirror_secrets);
            write_answer(out, Status::OK, Media::Json, text.as_bytes(), head_only);
        }
        Answer::Health => write_answer(out, Status::OK, Media::Text, b"ok\n", head_only),
        Answer::Metrics => {
            let mut text = String::new();
            let kept = cx.services.iter().map(|service| service.history_bytes() as u64);
            cx.metrics.room_history_bytes = kept.sum();
            cx.metrics.render(&mut text);
            write_answer(out, Status::OK, Media::Metrics, text.as_bytes(), head_only);
        }
        Answer::Options => write_options(out),
    }
}

/// Answers with a page, packed if the client takes it so.
fn show(out: &mut Vec<u8>, page: &Page, head: &Head<'_>) {
    let head_only = head.method() == "HEAD";
    let packed = http::takes_gzip(head);
    let media = Media::Html { sources: page.sources, packed };
    if packed {
        write_answer(out, Status::OK, media, page.packed, head_only);
    } else {
        write_answer(out, Status::OK, media, &page.unpack(), head_only);
    }
}
