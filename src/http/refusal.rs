//! The reasons for which a request is refused: each has one status and one text.

use super::{BodyFault, Methods, Status};

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The head is not HTTP, or is too large.
    Head(HeadFault),
    /// No `Host` in HTTP/1.1, or more than one, or one that is not `uri-host [":" port]`.
    Host,
    /// The target has none of the forms of RFC 9112 §3.2.
    Target,
    /// A registered method that the resource does not have, and those that it has.
    Method(Methods),
    /// A method nobody knows.
    MethodUnknown,
    /// `Content-Length` or `Transfer-Encoding` is malformed, repeated, or both are there.
    Framing,
    /// A transfer coding other than `chunked`.
    Coding,
    /// The request has a body.
    Body,
    /// The chunks of the body are malformed.
    Chunks(BodyFault),
    /// The body is longer than a message may be.
    TooLong,
    /// The body was to be text, and is not UTF-8.
    Text,
    /// The rest of the body did not arrive in time.
    BodyTimeout,
    /// There is no mailbox of this name any more, or never was.
    Mailbox,
    /// The mailbox is another worker's.
    Elsewhere,
    /// No more messages may wait in the mailbox.
    MailboxFull,
    /// Another request polls the mailbox now.
    Replaced,
    /// An expectation other than `100-continue`.
    Expectation,
    /// No resource has this path.
    NotFound,
    /// The resource is there for WebSocket connections only.
    UpgradeOnly,
    /// A handshake whose `Upgrade` or `Connection` is missing, or that came as HTTP/1.0.
    Stripped,
    /// Not exactly one `Sec-WebSocket-Key` that decodes to 16 bytes.
    Key,
    /// `Sec-WebSocket-Version` is not 13.
    Version,
    /// More than one `Sec-WebSocket-Version`.
    VersionRepeated,
    /// `Origin` is not on the allow-list, or there are two.
    Origin,
    /// `Sec-WebSocket-Extensions` is not the grammar of RFC 6455 §9.1.
    Extensions,
    /// `Sec-WebSocket-Protocol` is not a list of unique tokens.
    Subprotocol,
    /// `Forwarded` and `X-Forwarded-For` contradict each other, or hide what a proxy has added.
    Forwarded,
    /// No header of the PROXY protocol in front of the request, where there has to be one.
    Proxy,
    /// The address has as many connections as it may have.
    AddressConnections,
    /// The address has connected too often lately.
    AddressRate,
    /// No token was brought along, where one has to be.
    Token,
    /// None of those that were is known.
    TokenUnknown,
    /// The server is going away.
    Draining,
    /// The server has as many connections as it may have.
    Busy,
    /// The head was not complete in time.
    Timeout,
}

impl Refusal {
    /// The status this refusal is answered with.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Head(fault) => fault.status(),
            Self::Host | Self::Target | Self::Framing | Self::Body => Status::BAD_REQUEST,
            Self::Chunks(_) | Self::Text | Self::Forwarded | Self::Proxy => Status::BAD_REQUEST,
            Self::Key | Self::VersionRepeated | Self::Subprotocol | Self::Extensions => {
                Status::BAD_REQUEST
            }
            Self::Method(_) => Status::METHOD_NOT_ALLOWED,
            Self::MethodUnknown | Self::Coding => Status::NOT_IMPLEMENTED,
            Self::Expectation => Status::EXPECTATION_FAILED,
            Self::NotFound | Self::Mailbox => Status::NOT_FOUND,
            Self::TooLong => Status::CONTENT_TOO_LARGE,
            Self::MailboxFull => Status::TOO_MANY_REQUESTS,
            Self::Replaced => Status::CONFLICT,
            Self::Elsewhere => Status::MISDIRECTED,
            Self::UpgradeOnly | Self::Stripped | Self::Version => Status::UPGRADE_REQUIRED,
            Self::Origin => Status::FORBIDDEN,
            Self::Token | Self::TokenUnknown => Status::UNAUTHORIZED,
            Self::AddressConnections | Self::AddressRate => Status::TOO_MANY_REQUESTS,
            Self::Draining | Self::Busy => Status::UNAVAILABLE,
            Self::Timeout | Self::BodyTimeout => Status::REQUEST_TIMEOUT,
        }
    }

    /// The fields that the response has, as whole lines: those of its status, and for a token both
    /// challenges, since browsers know only one (RFC 9110 §11.6.1, RFC 6750 §3, RFC 7617 §2).
    pub(super) fn lines(self) -> &'static str {
        match self {
            Self::Token => {
                "Connection: close\r\nWWW-Authenticate: Bearer realm=\"wsecho\"\r\n\
                 WWW-Authenticate: Basic realm=\"wsecho\", charset=\"UTF-8\"\r\n"
            }
            Self::TokenUnknown => {
                "Connection: close\r\n\
                 WWW-Authenticate: Bearer realm=\"wsecho\", error=\"invalid_token\"\r\n\
                 WWW-Authenticate: Basic realm=\"wsecho\", charset=\"UTF-8\"\r\n"
            }
            Self::Method(methods) => methods.lines(),
            _ => self.status().lines(),
        }
    }

    /// One line for the response's body and for the log; it never quotes the request.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Head(fault) => fault.reason(),
            Self::Host => "exactly one valid Host field is needed",
            Self::Target => "the request target is malformed",
            Self::Method(methods) => methods.reason(),
            Self::MethodUnknown => "the method is not known",
            Self::Framing => "Content-Length or Transfer-Encoding is malformed",
            Self::Coding => "the transfer coding is not known",
            Self::Body => "a request body is not read here",
            Self::Chunks(fault) => fault.reason(),
            Self::TooLong => "the body is too long",
            Self::Text => "the body is not UTF-8: send other bytes as application/octet-stream",
            Self::BodyTimeout => "the body did not arrive in time",
            Self::Mailbox => "no such mailbox: its stream or its polls have ended",
            Self::Elsewhere => "another worker has this mailbox: try again on another connection",
            Self::MailboxFull => "too much waits in this mailbox: read first",
            Self::Replaced => "another request polls this mailbox now",
            Self::Expectation => "the expectation cannot be met",
            Self::NotFound => "nothing is here",
            Self::UpgradeOnly => "this is a WebSocket endpoint: connect with a WebSocket client",
            Self::Stripped => {
                "this is a WebSocket handshake without its upgrade: a proxy in between has \
                 probably removed it, and has to pass Upgrade and Connection on over HTTP/1.1"
            }
            Self::Key => "exactly one Sec-WebSocket-Key of 16 bytes in base64 is needed",
            Self::Version => "Sec-WebSocket-Version has to be 13",
            Self::VersionRepeated => "Sec-WebSocket-Version is there more than once",
            Self::Origin => "this origin may not connect",
            Self::Extensions => "Sec-WebSocket-Extensions is malformed",
            Self::Subprotocol => "Sec-WebSocket-Protocol is not a list of unique tokens",
            Self::Forwarded => {
                "Forwarded and X-Forwarded-For disagree, or one is malformed: the proxy should set \
                 one of them and remove the other"
            }
            Self::Proxy => "this port is for a proxy that sends a header of the PROXY protocol",
            Self::AddressConnections => "too many connections from this address",
            Self::AddressRate => "this address connects too often",
            Self::Token => "a token is needed here",
            Self::TokenUnknown => "the token is not known",
            Self::Draining => "the server is draining: connect to another",
            Self::Busy => "no room for more connections",
            Self::Timeout => "the request head did not arrive in time",
        }
    }
}

/// Why bytes are not the head of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadFault {
    /// The first byte is that of a TLS record with a ClientHello.
    TlsHello,
    /// A line ended in LF alone.
    BareLf,
    /// A CR that no LF follows, or one inside a line.
    BareCr,
    /// The method is not a token followed by one space.
    Method,
    /// The method is longer than any that is known.
    MethodTooLong,
    /// The target is missing or has a byte that no URI has.
    Target,
    /// The head's limit was reached within the target.
    TargetTooLong,
    /// The protocol version is not `HTTP/DIGIT.DIGIT`.
    Version,
    /// The protocol is HTTP, but neither 1.1 nor 1.0.
    VersionUnsupported,
    /// A field name is empty or not a token.
    FieldName,
    /// White space between field name and colon.
    FieldNameSpace,
    /// A field line continued on the next line, or one that begins with white space.
    FieldFolded,
    /// A control character in a field value.
    FieldValue,
    /// More field lines than allowed.
    FieldsTooMany,
    /// The head is longer than allowed.
    TooLong,
}

impl HeadFault {
    /// The status this fault is answered with.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::MethodTooLong => Status::NOT_IMPLEMENTED,
            Self::TargetTooLong => Status::URI_TOO_LONG,
            Self::VersionUnsupported => Status::VERSION_NOT_SUPPORTED,
            Self::FieldsTooMany | Self::TooLong => Status::FIELDS_TOO_LARGE,
            _ => Status::BAD_REQUEST,
        }
    }

    /// One line for the response's body and for the log.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TlsHello => "this port does not speak TLS",
            Self::BareLf => "a line ends in LF without CR",
            Self::BareCr => "CR without LF",
            Self::Method => "the method is not a token followed by one space",
            Self::MethodTooLong => "the method is not known",
            Self::Target => "the request target is missing or malformed",
            Self::TargetTooLong => "the request target is too long",
            Self::Version => "the request line does not end in a protocol version",
            Self::VersionUnsupported => "HTTP/1.1 and HTTP/1.0 are spoken here",
            Self::FieldName => "a field name is not a token",
            Self::FieldNameSpace => "white space before a field's colon",
            Self::FieldFolded => "a line begins with white space",
            Self::FieldValue => "a control character in a field value",
            Self::FieldsTooMany => "too many fields",
            Self::TooLong => "the request head is too long",
        }
    }
}

impl From<HeadFault> for Refusal {
    fn from(fault: HeadFault) -> Self {
        Self::Head(fault)
    }
}
