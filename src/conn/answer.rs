//! Plain answers: what is given to a request that asks for no upgrade.

use super::Context;
#[cfg(feature = "pages")]
use crate::http::takes_gzip;
use crate::http::{Answer, Head, Media, Status, write_answer, write_options};
use crate::metrics::describe_worker;
#[cfg(feature = "pages")]
use crate::pages::{self, Page};
use crate::peer::Peer;
#[cfg(feature = "pages")]
use crate::service::MOUNTED;
use crate::service::mirror::mirror;

/// Puts an answer into [`Context::scratch`].
pub(super) fn give(answer: Answer, head: &Head<'_>, peer: Peer, cx: &mut Context) {
    let head_only = head.method() == "HEAD";
    if answer == Answer::Metrics {
        cx.count_histories();
    }
    let out = &mut cx.scratch;
    match answer {
        Answer::Page => show(out, None, head),
        Answer::ServicePage(place) => show(out, Some(place), head),
        Answer::Info => {
            let text = mirror(head, peer, cx.config.mirror_secrets);
            write_answer(out, Status::OK, Media::Json, text.as_bytes(), head_only);
        }
        Answer::Health => write_answer(out, Status::OK, Media::Text, b"ok\n", head_only),
        Answer::Metrics => {
            let mut text = String::new();
            cx.metrics.render(&mut text);
            cx.config.worker.into_iter().for_each(|number| describe_worker(number, &mut text));
            write_answer(out, Status::OK, Media::Metrics, text.as_bytes(), head_only);
        }
        Answer::Options => write_options(out),
    }
}

/// Answers with the page of a service, by its index, or with the console, packed if the client
/// takes it so.
#[cfg(feature = "pages")]
fn show(out: &mut Vec<u8>, service: Option<usize>, head: &Head<'_>) {
    let mounted = service.and_then(|place| MOUNTED.get(place));
    let page: &Page = mounted.and_then(|mounted| mounted.page).unwrap_or(&pages::CONSOLE);
    let head_only = head.method() == "HEAD";
    let packed = takes_gzip(head);
    let media = Media::Html { sources: page.sources, packed };
    if packed {
        write_answer(out, Status::OK, media, page.packed, head_only);
    } else {
        write_answer(out, Status::OK, media, &page.unpack(), head_only);
    }
}

/// Answers with what there is instead of pages.
#[cfg(not(feature = "pages"))]
fn show(out: &mut Vec<u8>, _service: Option<usize>, head: &Head<'_>) {
    let text = b"This is a WebSocket echo server.\n";
    write_answer(out, Status::OK, Media::Text, text, head.method() == "HEAD");
}
