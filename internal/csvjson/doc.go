// Package csvjson reads CSV and gives its rows as JSON objects.
//
// In: CSV in UTF-8, as of RFC 4180 or with other delimiters, read once from front to back. Out: for each row one JSON object, whose
// members are the columns. Delimiter, quote, header and types are found by a look at the first rows, or given.
//
// Of a value the type of its column decides what it becomes: in a BIGINT or DOUBLE column a number, in a BOOLEAN one true or false, in
// a TIMESTAMP one, which is only if it is asked for, a text in RFC 3339 with nine digits in UTC; else a text. A value that does not fit a
// type that was found stays text: a field of a log has no declared type. One that does not fit a type that was given is an error.
// Numbers that begin with more zeros than they need are text. A field with nothing in it, without quotes, is null.
//
// Memory is that of the longest row and of a sample. A Reader is used by one goroutine.
package csvjson
