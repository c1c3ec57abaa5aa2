//! The grammar of `Sec-WebSocket-Extensions` (RFC 6455 §9.1), and nothing about any extension.
//!
//! ```text
//! extension-list  = 1#extension
//! extension       = extension-token *( ";" extension-param )
//! extension-param = token [ "=" (token | quoted-string) ]
//! ```
//!
//! One field value is read once from left to right. What comes out borrows from it, quoted strings
//! with their escapes included: a value is unescaped only while somebody compares it, so no input
//! makes this allocate, or read twice.

/// The field is not the grammar of §9.1: "the recipient of such malformed data MUST immediately
/// _Fail the WebSocket Connection_", which before the 101 is a 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrammarFault;

/// One token of an extension list, in the order of the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// A new element of the list: the name of an extension, a token. The parameters that follow are
    /// its own.
    Extension(&'a [u8]),
    /// A parameter of the extension named last: a token, and what stands behind its `=`, if there
    /// is one.
    Parameter(&'a [u8], Option<Value<'a>>),
}

/// The value of a parameter. Tokens have no backslash, so both forms are kept the same way: as the
/// bytes of the field without the enclosing quotes, escapes still in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a>(&'a [u8]);

impl<'a> Value<'a> {
    /// The bytes of the value with its escapes undone (`\x` is `x`, RFC 9110 §5.6.4).
    pub fn bytes(self) -> impl Iterator<Item = u8> + use<'a> {
        let mut raw = self.0.iter().copied();
        std::iter::from_fn(move || match raw.next() {
            Some(b'\\') => raw.next(),
            byte => byte,
        })
    }
}

/// Reads one field value token by token. After a fault there is nothing more.
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    rest: &'a [u8],
    position: Position,
}

/// What may come next.
///
/// ```text
/// Element   --token--> Behind     --","--> Element     --end--> (done)
/// Behind    --","--> Element      --";"--> Parameter   --end--> (done)
/// Parameter --token [ "=" value ]--> Behind
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    Element,
    Behind,
    Parameter,
    Done,
}

impl<'a> Tokens<'a> {
    /// Starts at the first byte of a field value.
    pub fn new(field: &'a [u8]) -> Self {
        Self { rest: field, position: Position::Element }
    }

    fn read(&mut self) -> Result<Option<Token<'a>>, GrammarFault> {
        loop {
            self.skip_space();
            match (self.position, self.rest.first()) {
                (Position::Done, _) | (Position::Element | Position::Behind, None) => {
                    return Ok(None);
                }
                // RFC 9110 §5.6.1.2: "A recipient MUST parse and ignore a reasonable number of
                // empty list elements".
                (Position::Element | Position::Behind, Some(b',')) => {
                    self.advance(1);
                    self.position = Position::Element;
                }
                (Position::Behind, Some(b';')) => {
                    self.advance(1);
                    self.position = Position::Parameter;
                }
                (Position::Behind, Some(_)) => return Err(GrammarFault),
                (Position::Element, Some(_)) => {
                    self.position = Position::Behind;
                    return Ok(Some(Token::Extension(self.token()?)));
                }
                (Position::Parameter, _) => {
                    self.position = Position::Behind;
                    return Ok(Some(Token::Parameter(self.token()?, self.value()?)));
                }
            }
        }
    }

    /// `[ "=" (token | quoted-string) ]`, with the space around "=" that the implied *LWS of RFC
    /// 2616 allows.
    fn value(&mut self) -> Result<Option<Value<'a>>, GrammarFault> {
        self.skip_space();
        if self.rest.first() != Some(&b'=') {
            return Ok(None);
        }
        self.advance(1);
        self.skip_space();
        match self.rest.first() {
            Some(b'"') => self.quoted().map(Some),
            // `name=` is no token, yet where it ends is plain. It is a bad value of that one
            // parameter, and whoever knows the parameter says no to it: one offer is declined, not
            // the whole connection.
            Some(b',' | b';') | None => Ok(Some(Value(b""))),
            Some(_) => Ok(Some(Value(self.token()?))),
        }
    }

    /// A quoted string whose opening quote comes next.
    ///
    /// §9.1: "the value after quoted-string unescaping MUST conform to the 'token' ABNF". That is
    /// left to whoever knows the parameter, as with an empty value: no valid value of any parameter
    /// read here is anything but a token.
    fn quoted(&mut self) -> Result<Value<'a>, GrammarFault> {
        let inside = &self.rest[1..];
        let mut escaped = false;
        for (index, &byte) in inside.iter().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    self.rest = &inside[index + 1..];
                    return Ok(Value(&inside[..index]));
                }
                _ => {}
            }
        }
        Err(GrammarFault)
    }

    fn token(&mut self) -> Result<&'a [u8], GrammarFault> {
        let len = self.rest.iter().take_while(|&&byte| TOKEN[usize::from(byte)]).count();
        if len == 0 {
            return Err(GrammarFault);
        }
        let (token, rest) = self.rest.split_at(len);
        self.rest = rest;
        Ok(token)
    }

    fn skip_space(&mut self) {
        let len = self.rest.iter().take_while(|&&byte| matches!(byte, b' ' | b'\t')).count();
        self.advance(len);
    }

    /// Leaves `len` bytes behind, which the caller has seen.
    fn advance(&mut self, len: usize) {
        self.rest = &self.rest[len..];
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Result<Token<'a>, GrammarFault>;

    fn next(&mut self) -> Option<Self::Item> {
        let token = self.read();
        if token.is_err() {
            self.position = Position::Done;
        }
        token.transpose()
    }
}

/// The bytes of a token: `tchar`, RFC 9110 §5.6.2.
static TOKEN: [bool; 256] = {
    let mut token = [false; 256];
    let mut byte = 0;
    while byte < u8::MAX {
        token[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.')
            || matches!(byte, b'^'..=b'`' | b'|' | b'~');
        byte += 1;
    }
    token
};

#[cfg(test)]
mod tests {
    use super::*;

    /// A list written back in one canonical form: `name;param;param=[value],name`, or `fault`.
    fn canonical(field: &[u8]) -> String {
        let mut out = String::new();
        for token in Tokens::new(field) {
            match token {
                Err(GrammarFault) => return "fault".into(),
                Ok(Token::Extension(name)) => {
                    if !out.is_empty() {
                        out.push(',');
                    }
                    out.push_str(&String::from_utf8_lossy(name));
                }
                Ok(Token::Parameter(name, value)) => {
                    out.push(';');
                    out.push_str(&String::from_utf8_lossy(name));
                    if let Some(value) = value {
                        let bytes: Vec<u8> = value.bytes().collect();
                        out.push_str(&format!("=[{}]", String::from_utf8_lossy(&bytes)));
                    }
                }
            }
        }
        out
    }

    /// RFC 6455 §9.1, with the list rule of RFC 9110 §5.6.1 and the quoted-string of §5.6.4.
    const TABLE: &[(&str, &str)] = &[
        ("foo", "foo"),
        ("foo, bar; baz=2", "foo,bar;baz=[2]"),
        ("deflate-stream", "deflate-stream"),
        (
            "mux; max-channels=4; flow-control, deflate-stream",
            "mux;max-channels=[4];flow-control,deflate-stream",
        ),
        ("private-extension", "private-extension"),
        ("\t foo \t;\ta\t=\t1 \t,\tbar\t", "foo;a=[1],bar"),
        ("a;b=\"x\"", "a;b=[x]"),
        ("a;b=\"x,y;z=1\";c", "a;b=[x,y;z=1];c"),
        (r#"a;b="1\5""#, "a;b=[15]"),
        (r#"a;b="\"\\""#, r#"a;b=["\]"#),
        // Empty values end where they end; empty list elements are nothing.
        ("a;b=\"\"", "a;b=[]"),
        ("a;b=", "a;b=[]"),
        ("a;b=,c", "a;b=[],c"),
        ("a;b= ;c", "a;b=[];c"),
        ("", ""),
        (" \t ", ""),
        (",", ""),
        (",a,,b ,\t,", "a,b"),
        // All of tchar, and nothing beside it.
        ("!#$%&'*+-.^_`|~09azAZ", "!#$%&'*+-.^_`|~09azAZ"),
        ("a b", "fault"),
        ("a;b c", "fault"),
        ("a;b=c d", "fault"),
        ("a/b", "fault"),
        ("(a)", "fault"),
        ("a;b=c=d", "fault"),
        ("a;b=\"c\"d", "fault"),
        ("\"a\"", "fault"),
        ("a;\"b\"", "fault"),
        ("a\u{e9}", "fault"),
        ("a\0", "fault"),
        // A semicolon promises a parameter.
        ("a;", "fault"),
        ("a; ", "fault"),
        ("a;,b", "fault"),
        (";a", "fault"),
        (";", "fault"),
    ];

    #[test]
    fn grammar_table() {
        for &(field, expected) in TABLE {
            assert_eq!(canonical(field.as_bytes()), expected, "{field:?}");
        }
    }

    /// RFC 6455 §9.1: what is not the grammar fails the handshake.
    #[test]
    fn h27_bad_grammar_is_a_fault() {
        for field in
            ["a;;b", ";;", "=x", "a;=x", "a=x", "a;b=\"c", "a;b=\"c\\\"", "a;b=\"", "a;b=\"c\\"]
        {
            assert_eq!(canonical(field.as_bytes()), "fault", "{field:?}");
        }
    }

    /// Each byte is looked at a fixed number of times, so 60 KiB of backslashes cost what 60 KiB of
    /// anything costs. The tokens are counted rather than timed: quadratic work would need more
    /// than one pass over them.
    #[test]
    fn h28_sixty_kilobytes_of_backslashes() {
        let mut field = b"a;b=\"".to_vec();
        field.extend([b'\\'; 60_000]);
        assert_eq!(canonical(&field), "fault", "no closing quote");
        field.push(b'"');
        let tokens: Vec<_> = Tokens::new(&field).collect();
        let Ok(Token::Parameter(b"b", Some(value))) = tokens[1] else { panic!("{:?}", tokens[1]) };
        assert_eq!(tokens.len(), 2);
        assert_eq!(value.bytes().count(), 30_000);
        assert!(value.bytes().all(|byte| byte == b'\\'));
        field.insert(5, b'\\');
        assert_eq!(canonical(&field), "fault", "an odd backslash escapes the closing quote");
    }

    #[test]
    fn nothing_follows_a_fault() {
        let mut tokens = Tokens::new(b"a;;b, c");
        assert_eq!(tokens.next(), Some(Ok(Token::Extension(b"a"))));
        assert_eq!(tokens.next(), Some(Err(GrammarFault)));
        assert_eq!(tokens.next(), None);
    }

    /// Every field of up to six bytes over an alphabet that has one byte of each kind: no panic,
    /// and no token that is not in the field.
    #[test]
    fn every_short_field_is_read_to_its_end() {
        const ALPHABET: &[u8] = b"a;,=\"\\ \x80";
        for len in 0..=6 {
            for number in 0..ALPHABET.len().pow(len) {
                let field: Vec<u8> = (0..len)
                    .map(|place| ALPHABET[number / ALPHABET.len().pow(place) % ALPHABET.len()])
                    .collect();
                let names = Tokens::new(&field)
                    .map_while(Result::ok)
                    .map(|token| match token {
                        Token::Extension(name) | Token::Parameter(name, _) => name,
                    })
                    .inspect(|name| assert!(name.iter().all(|&byte| byte == b'a'), "{field:?}"))
                    .count();
                assert!(names <= field.len());
            }
        }
    }
}
