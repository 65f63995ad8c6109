//! Text in pieces whose kinds are known, so that it can be coloured without
//! being read again.

/// What a piece of code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// White space, names, operators.
    Plain,
    /// A word of the language, `true`, `null`.
    Keyword,
    /// The name of a property or an argument.
    Key,
    /// Text.
    Str,
    /// A number.
    Num,
    /// The name of a function.
    Function,
    /// A comment.
    Comment,
}

/// A piece of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Its text, not escaped for anything.
    pub text: String,
}

/// Code in pieces. Neighbours are of different kinds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens(Vec<Token>);

impl Tokens {
    /// The pieces.
    #[must_use]
    pub fn list(&self) -> &[Token] {
        &self.0
    }

    /// The text of all pieces.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.iter().map(|token| token.text.as_str()).collect()
    }

    /// Code whose pieces are not known.
    #[must_use]
    pub fn plain(text: &str) -> Self {
        let mut tokens = Self::default();
        tokens.put(Kind::Plain, text);
        tokens
    }

    /// Appends a piece.
    pub fn put(&mut self, kind: Kind, text: impl AsRef<str>) -> &mut Self {
        let text = text.as_ref();
        if text.is_empty() {
            return self;
        }
        match self.0.last_mut() {
            Some(last) if last.kind == kind => last.text.push_str(text),
            _ => self.0.push(Token {
                kind,
                text: text.to_owned(),
            }),
        }
        self
    }

    /// Appends other code.
    pub fn append(&mut self, other: &Self) -> &mut Self {
        for token in &other.0 {
            self.put(token.kind, &token.text);
        }
        self
    }

    pub(super) fn word(&mut self, text: &str) -> &mut Self {
        self.put(Kind::Keyword, text)
    }

    pub(super) fn name(&mut self, text: &str) -> &mut Self {
        self.put(Kind::Plain, text)
    }

    pub(super) fn call(&mut self, text: &str) -> &mut Self {
        self.put(Kind::Function, text)
    }

    pub(super) fn str(&mut self, text: impl AsRef<str>) -> &mut Self {
        self.put(Kind::Str, text)
    }
}
