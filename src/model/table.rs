//! Tables of the store as they are moved out and in: what their columns hold, and the values of a row.

/// What a column holds, and how it is written for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    Number,
    /// Milliseconds since 1970 in UTC.
    Time,
    Text,
    /// A text of JSON.
    Json,
    /// A long text, which the store may hold compressed.
    LongText,
    Bytes,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnShape {
    pub name: String,
    pub kind: ColumnKind,
    /// Whether it may hold nothing.
    pub is_optional: bool,
}

impl ColumnShape {
    /// Whether it holds bytes on a server.
    pub fn is_bytes(&self) -> bool {
        matches!(self.kind, ColumnKind::Bytes | ColumnKind::LongText)
    }
}

/// A table with its columns, in the order in which they are moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableShape {
    pub name: String,
    pub columns: Vec<ColumnShape>,
    /// The columns that tell its rows apart.
    pub key: Vec<String>,
}

impl TableShape {
    /// The place of a column.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredValue {
    Nothing,
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}
