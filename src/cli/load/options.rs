//! The options that each phase of a scenario may set too.

use super::super::spec::{Spec, Takes};
use super::super::value;
use super::draft::{
    Draft, audience, deflate, deflate_name, rate, show_rate, show_time, shown_audience, switched,
    yes,
};
use super::sizes;
use crate::load::payload::Content;
use crate::load::plan::Shape;
use crate::load::report::Threshold;
use crate::load::template::Template;

const LOAD: &str = "Load";
const MESSAGES: &str = "Messages";
const SHAPES: &str = "Shapes instead of a plain echo";
const CONNECTING: &str = "Connecting";

/// What each phase of a scenario may set too.
pub const PLAN_OPTIONS: &[Spec<Draft>] = &[
    Spec {
        name: "connections",
        variable: "WSECHO_LOAD_CONNECTIONS",
        takes: Takes::Short('c', "N"),
        heading: LOAD,
        help: "Number of connections",
        default: |draft| draft.plan.connections.to_string(),
        apply: |draft, text| value::count(text).map(|count| draft.plan.connections = count),
    },
    Spec {
        name: "duration",
        variable: "WSECHO_LOAD_DURATION",
        takes: Takes::Short('d', "TIME"),
        heading: LOAD,
        help: "Time that is measured",
        default: |draft| value::show_duration(draft.plan.duration),
        apply: |draft, text| value::positive_duration(text).map(|time| draft.plan.duration = time),
    },
    Spec {
        name: "warmup",
        variable: "WSECHO_LOAD_WARMUP",
        takes: Takes::One("TIME"),
        heading: LOAD,
        help: "Time before that, under the same load",
        default: |draft| value::show_duration(draft.plan.warmup),
        apply: |draft, text| value::duration(text).map(|time| draft.plan.warmup = time),
    },
    Spec {
        name: "ramp",
        variable: "WSECHO_LOAD_RAMP",
        takes: Takes::One("TIME"),
        heading: LOAD,
        help: "Open the connections, and raise the rate,\n\
               evenly over this time before the warm-up",
        default: |draft| show_time(draft.plan.ramp),
        apply: |draft, text| value::duration(text).map(|time| draft.plan.ramp = time),
    },
    Spec {
        name: "pipeline",
        variable: "WSECHO_LOAD_PIPELINE",
        takes: Takes::Short('p', "N"),
        heading: LOAD,
        help: "Messages in flight per connection, in a\n\
               closed loop: an answer lets the next one go",
        default: |draft| draft.plan.pipeline.to_string(),
        apply: |draft, text| value::count(text).map(|count| draft.plan.pipeline = count),
    },
    Spec {
        name: "think",
        variable: "WSECHO_LOAD_THINK",
        takes: Takes::One("TIME"),
        heading: LOAD,
        help: "Pause between an answer and the next message",
        default: |draft| show_time(draft.plan.think),
        apply: |draft, text| value::duration(text).map(|time| draft.plan.think = time),
    },
    Spec {
        name: "rate",
        variable: "WSECHO_LOAD_RATE",
        takes: Takes::One("RATE"),
        heading: LOAD,
        help: "Messages a second over all connections,\n\
               whatever the server does: an open loop.\n\
               Latency counts from when a message is due",
        default: |draft| show_rate(draft.plan.rate),
        apply: |draft, text| rate(text).map(|rate| draft.plan.rate = Some(rate)),
    },
    Spec {
        name: "size",
        variable: "WSECHO_LOAD_SIZE",
        takes: Takes::Short('s', "SIZES"),
        heading: MESSAGES,
        help: "Bytes of a message: 125, or 64-4096, or\n\
               90%:64,10%:64KiB. With --file all of it",
        default: |draft| match (&draft.plan.sizes, &draft.plan.content) {
            (Some(sizes), _) => sizes::show(sizes),
            (None, Content::File { .. }) => String::new(),
            (None, _) => sizes::show(&draft.plan.sizes()),
        },
        apply: |draft, text| sizes::parse(text).map(|sizes| draft.plan.sizes = Some(sizes)),
    },
    Spec {
        name: "file",
        variable: "WSECHO_LOAD_FILE",
        takes: Takes::One("FILE"),
        heading: MESSAGES,
        help: "Take payload from a file, over and over",
        default: |_| String::new(),
        apply: |draft, path| draft.file(path),
    },
    Spec {
        name: "text",
        variable: "WSECHO_LOAD_TEXT",
        takes: Takes::Switch,
        heading: MESSAGES,
        help: "Send text, random letters; the default",
        default: |draft| yes(draft.names_text()),
        apply: |draft, text| draft.kind("text", text, true),
    },
    Spec {
        name: "binary",
        variable: "WSECHO_LOAD_BINARY",
        takes: Takes::Switch,
        heading: MESSAGES,
        help: "Send binary, random bytes",
        default: |draft| yes(!draft.plan.content.is_text()),
        apply: |draft, text| draft.kind("binary", text, false),
    },
    Spec {
        name: "records",
        variable: "WSECHO_LOAD_RECORDS",
        takes: Takes::Switch,
        heading: MESSAGES,
        help: "Send text that looks like JSON",
        default: |draft| yes(draft.plan.content == Content::Json),
        apply: |draft, text| draft.content("records", text, Content::Json),
    },
    Spec {
        name: "fragments",
        variable: "WSECHO_LOAD_FRAGMENTS",
        takes: Takes::One("N"),
        heading: MESSAGES,
        help: "Send each message in so many frames",
        default: |draft| draft.plan.fragments.to_string(),
        apply: |draft, text| value::count(text).map(|count| draft.plan.fragments = count),
    },
    Spec {
        name: "deflate",
        variable: "WSECHO_LOAD_DEFLATE",
        takes: Takes::One("CHOICE"),
        heading: MESSAGES,
        help: "Compress: off, on (each message by itself)\n\
               or takeover (with what was sent before)",
        default: |draft| deflate_name(draft.plan.deflate).to_owned(),
        apply: |draft, text| deflate(text).map(|offer| draft.plan.deflate = offer),
    },
    Spec {
        name: "no-verify",
        variable: "WSECHO_LOAD_NO_VERIFY",
        takes: Takes::Switch,
        heading: MESSAGES,
        help: "Count answers without comparing them",
        default: |draft| yes(!draft.plan.verify),
        apply: |draft, text| value::switch(text).map(|said| draft.plan.verify = !said),
    },
    Spec {
        name: "seed",
        variable: "WSECHO_LOAD_SEED",
        takes: Takes::One("N"),
        heading: MESSAGES,
        help: "The same seed gives the same messages",
        default: |draft| draft.plan.seed.to_string(),
        apply: |draft, text| value::count(text).map(|seed| draft.plan.seed = seed),
    },
    Spec {
        name: "idle",
        variable: "WSECHO_LOAD_IDLE",
        takes: Takes::Switch,
        heading: SHAPES,
        help: "Open the connections and hold them",
        default: |draft| yes(draft.plan.shape == Shape::Idle),
        apply: |draft, text| switched(text, || draft.shape("idle", Shape::Idle)),
    },
    Spec {
        name: "touch",
        variable: "WSECHO_LOAD_TOUCH",
        takes: Takes::One("N"),
        heading: SHAPES,
        help: "With --idle, exchange N messages on each\n\
               connection before it is held",
        default: |draft| match draft.plan.touch {
            0 => String::new(),
            count => count.to_string(),
        },
        apply: |draft, text| value::count(text).map(|count| draft.plan.touch = count),
    },
    Spec {
        name: "churn",
        variable: "WSECHO_LOAD_CHURN",
        takes: Takes::One("N"),
        heading: SHAPES,
        help: "Connect, exchange N messages, close, again",
        default: |draft| match draft.plan.shape {
            Shape::Churn(messages) => messages.to_string(),
            _ => String::new(),
        },
        apply: |draft, text| {
            let count = value::digits(text).ok_or_else(|| format!("{text:?} is not a number"))?;
            draft.shape("churn", Shape::Churn(count))
        },
    },
    Spec {
        name: "broadcast",
        variable: "WSECHO_LOAD_BROADCAST",
        takes: Takes::One("WHO"),
        heading: SHAPES,
        help: "The server hands each message on to all\n\
               connections, or to all others",
        default: |draft| shown_audience(draft.plan.shape),
        apply: |draft, text| {
            audience(text).and_then(|who| draft.shape("broadcast", Shape::Broadcast(who)))
        },
    },
    Spec {
        name: "template",
        variable: "WSECHO_LOAD_TEMPLATE",
        takes: Takes::One("TEXT"),
        heading: SHAPES,
        help: "Text that each message of a broadcast stands\n\
               in, at {message}; what comes back without\n\
               such a message is a notice, and passes",
        default: |draft| draft.plan.template.as_ref().map(Template::show).unwrap_or_default(),
        apply: |draft, text| {
            Template::parse(text).map(|template| draft.plan.template = Some(template))
        },
    },
    Spec {
        name: "slow-readers",
        variable: "WSECHO_LOAD_SLOW_READERS",
        takes: Takes::One("N"),
        heading: SHAPES,
        help: "So many of the connections send and never\n\
               read",
        default: |draft| match draft.plan.slow_readers {
            0 => String::new(),
            count => count.to_string(),
        },
        apply: |draft, text| value::count(text).map(|count| draft.plan.slow_readers = count),
    },
    Spec {
        name: "connect-rate",
        variable: "WSECHO_LOAD_CONNECT_RATE",
        takes: Takes::One("RATE"),
        heading: CONNECTING,
        help: "Connections opened a second, with --churn\nall the time",
        default: |draft| show_rate(draft.plan.connect_rate),
        apply: |draft, text| rate(text).map(|rate| draft.plan.connect_rate = Some(rate)),
    },
    Spec {
        name: "source",
        variable: "WSECHO_LOAD_SOURCE",
        takes: Takes::Many("IP"),
        heading: CONNECTING,
        help: "Address to connect from, may be repeated.\n\
               To 127.0.0.0/8 further ones are taken by\n\
               themselves when one has no ports left",
        default: |draft| {
            let sources: Vec<String> = draft.plan.sources.iter().map(ToString::to_string).collect();
            sources.join(",")
        },
        apply: |draft, text| draft.source(text),
    },
    Spec {
        name: "timeout",
        variable: "WSECHO_LOAD_TIMEOUT",
        takes: Takes::One("TIME"),
        heading: CONNECTING,
        help: "Longest wait for an answer of any kind",
        default: |draft| value::show_duration(draft.plan.timeout),
        apply: |draft, text| value::positive_duration(text).map(|time| draft.plan.timeout = time),
    },
    Spec {
        name: "threshold",
        variable: "WSECHO_LOAD_THRESHOLD",
        takes: Takes::Many("EXPR"),
        heading: super::whole::RUN,
        help: "What must hold, such as \"p99 < 5ms\", may be\n\
               repeated; decides the exit status. By default\n\
               \"errors == 0\"",
        default: |_| String::new(),
        apply: |draft, text| {
            Threshold::parse(text).map(|threshold| draft.thresholds.push(threshold))
        },
    },
];
