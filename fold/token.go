package fold

import "github.com/seed69692123/netdb/redex"

// WriteToken names one event of one store, as the result of a write. Wait takes it to read one's own write. It is a small
// comparable value; the zero token names nothing. A token is an address, not a secret and not a proof: its checksum finds
// mistyped and cut texts, nothing more.
type WriteToken struct {
	pos redex.Position
}

// TokenOf returns the token of the event at p.
func TokenOf(p redex.Position) WriteToken { return WriteToken{p} }

// Position returns the position the token names.
func (t WriteToken) Position() redex.Position { return t.pos }

// IsZero reports whether t is the zero token.
func (t WriteToken) IsZero() bool { return t == WriteToken{} }

// String returns the token's text: "w1" and 28 to 72 letters, digits, '-' and '_'. The zero token is "". Equal tokens have equal
// texts and ParseToken accepts no other text for them.
func (t WriteToken) String() string { return string(appendToken(nil, t)) }

// ParseToken returns the token that prints as s, or an error that wraps ErrToken and says what is wrong with s.
func ParseToken(s string) (WriteToken, error) { return parseToken(s) }

// AppendText implements encoding.TextAppender.
func (t WriteToken) AppendText(b []byte) ([]byte, error) { return appendToken(b, t), nil }

// MarshalText implements encoding.TextMarshaler. The zero token is an empty text.
func (t WriteToken) MarshalText() ([]byte, error) { return appendToken(nil, t), nil }

// UnmarshalText implements encoding.TextUnmarshaler. An empty text is the zero token.
func (t *WriteToken) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*t = WriteToken{}
		return nil
	}
	v, err := parseToken(string(b))
	if err == nil {
		*t = v
	}
	return err
}
