//! What a load is to be: every setting of a run, or of one phase of a scenario.

use std::net::IpAddr;
use std::time::Duration;

use super::pace::Allowance;
use super::payload::Content;
use super::script::Recipe;
use super::sizes::Sizes;
use super::template::Template;
use crate::ws::offer::Offer;

/// Bytes of a message, if nothing is said.
const SIZE: usize = 125;

/// What connections are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Each message is echoed to who sent it.
    Echo,
    /// Connections are opened and held; nothing is sent.
    Idle,
    /// Each connection is closed after so many messages, and opened again.
    Churn(u32),
    /// Each message goes to all members of a room.
    Broadcast(Audience),
}

/// Who gets a message of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// All members, its sender included.
    All,
    /// All members but its sender.
    Others,
}

/// The settings of a run or phase.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Connections, at least 1.
    pub connections: usize,
    /// The server is a bare TCP echo: frames come back as they were sent, and nothing else is said.
    pub bare: bool,
    /// What they are for.
    pub shape: Shape,
    /// Messages that each connection exchanges before it is held, when idle.
    pub touch: u32,
    /// How long is measured.
    pub duration: Duration,
    /// How long the load goes on before that.
    pub warmup: Duration,
    /// In what time connections are opened and the rate grows, before the warm-up.
    pub ramp: Duration,
    /// Messages in flight per connection in a closed loop, at least 1.
    pub pipeline: usize,
    /// Messages a second in an open loop, over all connections; `None` is a closed loop.
    pub rate: Option<f64>,
    /// Connections opened a second; `None` is as fast as they come.
    pub connect_rate: Option<f64>,
    /// Pause between an answer and the next message of a closed loop.
    pub think: Duration,
    /// Sizes of messages; `None` is the usual one, or the whole file.
    pub sizes: Option<Sizes>,
    /// What they say.
    pub content: Content,
    /// In how many frames each is sent, at least 1.
    pub fragments: usize,
    /// What is offered of permessage-deflate.
    pub deflate: Option<Offer>,
    /// What the messages of a broadcast stand in.
    pub template: Option<Template>,
    /// Whether each echo is compared with what was sent.
    pub verify: bool,
    /// The first so many connections never read.
    pub slow_readers: usize,
    /// Longest wait for an answer: to connecting, a handshake, a message.
    pub timeout: Duration,
    /// The same seed gives the same messages.
    pub seed: u64,
    /// Addresses to connect from, in turn.
    pub sources: Vec<IpAddr>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            connections: 64,
            bare: false,
            shape: Shape::Echo,
            touch: 0,
            duration: Duration::from_secs(10),
            warmup: Duration::from_secs(1),
            ramp: Duration::ZERO,
            pipeline: 1,
            rate: None,
            connect_rate: None,
            think: Duration::ZERO,
            sizes: None,
            content: Content::Text,
            fragments: 1,
            deflate: None,
            template: None,
            verify: true,
            slow_readers: 0,
            timeout: Duration::from_secs(10),
            seed: 1,
            sources: Vec::new(),
        }
    }
}

impl Plan {
    /// What contradicts itself.
    ///
    /// # Errors
    ///
    /// One line without the names of options.
    pub fn check(&self) -> Result<(), String> {
        let sizes = self.sizes();
        let broadcast = matches!(self.shape, Shape::Broadcast(_));
        if broadcast && sizes.least() < super::room::STAMP_BYTES {
            let least = super::room::STAMP_BYTES;
            return Err(format!("messages of a broadcast need {least} bytes or more"));
        }
        if self.bare && (broadcast || self.deflate.is_some()) {
            return Err("a bare TCP echo has neither rooms nor compression".to_owned());
        }
        if broadcast && (self.deflate.is_some() || self.fragments > 1) {
            return Err("a broadcast is neither compressed nor fragmented".to_owned());
        }
        if self.template.is_some() && !(broadcast && self.content.is_text()) {
            return Err("a template is for the text of a broadcast".to_owned());
        }
        if broadcast && self.connections > super::room::MEMBERS_MAX {
            return Err(format!("a room has {} members at most", super::room::MEMBERS_MAX));
        }
        if self.shape == Shape::Broadcast(Audience::Others) && self.connections < 2 {
            return Err("a broadcast to others needs two connections or more".to_owned());
        }
        if self.rate.is_some() && matches!(self.shape, Shape::Idle | Shape::Churn(_)) {
            return Err("a rate is for messages, which idle and churn do not pace".to_owned());
        }
        if self.touch > 0 && self.shape != Shape::Idle {
            return Err("only idle connections exchange messages before they are held".to_owned());
        }
        if self.slow_readers >= self.connections && self.slow_readers > 0 {
            return Err("slow readers leave no connection that reads".to_owned());
        }
        if self.slow_readers > 0 && self.shape != Shape::Echo {
            return Err("slow readers are for echoes".to_owned());
        }
        Ok(())
    }

    /// Sizes of messages.
    pub fn sizes(&self) -> Sizes {
        let usual = match &self.content {
            Content::File { bytes, .. } => bytes.len(),
            _ => SIZE,
        };
        self.sizes.clone().unwrap_or_else(|| Sizes::one(usual))
    }

    /// What messages are like.
    pub fn recipe(&self) -> Recipe {
        let (content, fragments, seed) = (self.content.clone(), self.fragments, self.seed);
        Recipe { sizes: self.sizes(), content, fragments, bare: self.bare, seed }
    }

    /// How fast connections may be opened.
    pub fn connecting(&self) -> Allowance {
        let ramp = self.ramp.as_secs_f64();
        match self.connect_rate {
            Some(rate) => Allowance::PerSecond(rate),
            None if ramp > 0.0 => Allowance::PerSecond(self.connections as f64 / ramp),
            None => Allowance::All,
        }
    }

    /// Whether the connections of this phase serve the next.
    pub fn leaves_connections_to(&self, next: &Self) -> bool {
        let plain = |plan: &Self| {
            let churns = matches!(plan.shape, Shape::Churn(_));
            plan.slow_readers == 0 && plan.deflate.is_none() && !churns
        };
        plain(self) && plain(next)
    }

    /// How many messages each connection exchanges, where that is what it is for: none if it is
    /// idle.
    pub fn messages_each(&self) -> Option<u32> {
        match self.shape {
            Shape::Idle => Some(self.touch),
            Shape::Churn(messages) => Some(messages),
            Shape::Echo | Shape::Broadcast(_) => None,
        }
    }

    /// The shape in words.
    pub fn shape_in_words(&self) -> &'static str {
        match (self.shape, self.rate) {
            (Shape::Idle, _) => "idle",
            (Shape::Churn(_), _) => "churn",
            (Shape::Broadcast(_), _) => "broadcast",
            (Shape::Echo, Some(_)) => "open loop",
            (Shape::Echo, None) => "closed loop",
        }
    }
}
