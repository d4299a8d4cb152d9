package redex

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed69692123/netdb/redex/journal"
	"github.com/seed69692123/netdb/redex/sealed"
)

// DumpOptions are the choices of a dump.
type DumpOptions struct {
	Payloads bool // print the payloads of events too, quoted, up to 256 bytes each
}

// Dump writes what is in a segment of the journal or a row file, or in all of a store's directory, to w, for a person to read. It reads files
// only, takes no lock and writes nothing, so it works on a store that is open or does not open any more. What is damaged is told where
// it stands; the error says only why it could not go on. Of an open store it may show the last frames half written.
func Dump(ctx context.Context, w io.Writer, path string, o DumpOptions) error {
	d := newDumper(ctx, w, o)
	err := d.path(path)
	if err = errors.Join(err, d.w.Flush()); err != nil {
		return fmt.Errorf("redex: dump %s: %w", path, err)
	}
	return nil
}

type dumper struct {
	ctx context.Context // of the call of Dump, which it does not outlive
	w   *bufio.Writer
	o   DumpOptions
}

func newDumper(ctx context.Context, w io.Writer, o DumpOptions) *dumper {
	return &dumper{ctx: ctx, w: bufio.NewWriter(w), o: o}
}

func (d *dumper) line(format string, args ...any) { fmt.Fprintf(d.w, format+"\n", args...) }

func (d *dumper) path(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return d.file(path)
	}
	for _, name := range []string{formatName, lockName, checkpointName} {
		b, err := readStart(filepath.Join(path, name), maxFormatBytes)
		if isNotExist(err) {
			continue
		}
		d.line("%s", name)
		if err != nil {
			d.line("  cannot be read: %v", err)
			continue
		}
		for line := range strings.Lines(string(b)) {
			d.line("  %s", printable([]byte(strings.TrimRight(line, "\n"))))
		}
	}
	for _, dir := range []string{filepath.Join(path, journalDir), filepath.Join(path, rowsDir), path} {
		entries, err := os.ReadDir(dir)
		if isNotExist(err) {
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range entries { // in the order of their names
			name := e.Name()
			if e.Type().IsRegular() && (strings.HasSuffix(name, rowSuffix) || strings.Contains(name, ".seg")) {
				err := d.file(filepath.Join(dir, name))
				if isNotExist(err) { // an open store removed it
					continue
				}
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// readStart reads the first n bytes of a file.
func readStart(path string, n int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, n))
	return b, errors.Join(err, f.Close())
}

// printable returns a text without anything that drives a terminal.
func printable(b []byte) string {
	q := fmt.Sprintf("%+q", b)
	return q[1 : len(q)-1]
}

func when(t int64) string { return time.Unix(0, t).UTC().Format("2006-01-02T15:04:05.000000000Z") }

func (d *dumper) file(path string) error {
	if err := d.ctx.Err(); err != nil {
		return err
	}
	b, err := readStart(path, 8)
	if err != nil {
		return err
	}
	switch {
	case string(b) == "NETDBJNL" || strings.Contains(filepath.Base(path), ".seg"):
		return d.segment(path)
	case string(b) == "NDBROWS\x00" || strings.HasSuffix(path, rowSuffix):
		return d.rows(path)
	}
	return fmt.Errorf("%w: neither a segment of a journal nor a row file", ErrFormat)
}

// segment dumps a segment of the journal.
func (d *dumper) segment(path string) error {
	b, err := readStart(path, 1<<30+1)
	if err != nil {
		return err
	}
	d.line("segment %s, %d bytes", printable([]byte(path)), len(b))
	return journal.Inspect(b, func(in *journal.Inspected) error {
		if err := d.ctx.Err(); err != nil {
			return err
		}
		state := "ok"
		if in.Err != nil {
			state = "DAMAGED: " + in.Err.Error()
		}
		switch in.What {
		case "header":
			d.line("%10d  header  number %d  epoch %d  journal %s  first frame %d  durable %d  after segment %d at %d  %s",
				in.Offset, in.Segment, in.Epoch, in.ID, in.Ordinal, in.Durable, in.Prev, in.PrevEnd, state)
		case "zeros", "damage", "earlier use":
			d.line("%10d  %s  %d bytes  %s", in.Offset, in.What, in.Bytes, state)
		default:
			d.line("%10d  %s %d  %s  %d bytes  durable %d  %s", in.Offset, in.What, in.Ordinal, when(in.Time), in.Bytes, in.Durable, state)
		}
		d.body(in.Body)
		return nil
	})
}

// body dumps the body of a frame.
func (d *dumper) body(b []byte) {
	for off := 0; off < len(b); {
		p, next, err := nextPart(b, off)
		if err != nil {
			d.line("            at %d: DAMAGED: %v", off, err)
			return
		}
		d.part(&p)
		off = next
	}
}

// part dumps a part of a frame.
func (d *dumper) part(p *part) {
	names := map[uint8]string{
		partEvents: "events", partCreate: "create", partDelete: "delete", partSettings: "settings", partFloor: "floor", partRename: "rename",
	}
	name, known := names[p.typ]
	if !known {
		d.line("            part of type %d  log %d  first %d  count %d  %d bytes", p.typ, p.log, p.first, p.count, len(p.data))
		return
	}
	switch p.typ {
	case partCreate, partSettings, partRename:
		name2, o, err := decodeCatalogPart(*p)
		if err != nil {
			d.line("            %s  log %d  DAMAGED: %s", name, p.log, printable([]byte(err.Error())))
			return
		}
		d.line("            %s  log %d  name %+q  options %s", name, p.log, name2, printable(fmt.Appendf(nil, "%+v", o)))
	case partEvents:
		d.line("            events  log %d  from %d  count %d  %d bytes", p.log, p.first, p.count, len(p.data))
		rest := p.data
		for k := range p.count {
			var ev Event
			headers, after, err := decodeEntry(rest, &ev)
			if err == nil && len(headers) > 0 {
				ev.Headers, err = decodeHeaders(headers, nil)
			}
			if err != nil {
				d.line("              %d  DAMAGED: %s", p.first+Seq(k), printable([]byte(err.Error())))
				return
			}
			ev.Seq = p.first + Seq(k)
			d.entry(&ev)
			rest = after
		}
	default:
		d.line("            %s  log %d  at %d", name, p.log, p.first)
	}
}

// entry dumps an event.
func (d *dumper) entry(ev *Event) {
	fmt.Fprintf(d.w, "              %d  kind %d  encoding %d  origin %d", ev.Seq, ev.Kind, ev.Encoding, ev.Origin)
	if ev.Tombstone {
		d.w.WriteString("  tombstone")
	}
	if ev.Idempotency != 0 {
		fmt.Fprintf(d.w, "  number %d", ev.Idempotency)
	}
	if len(ev.Key) > 0 {
		fmt.Fprintf(d.w, "  key %+q", ev.Key[:min(len(ev.Key), 256)])
	}
	fmt.Fprintf(d.w, "  %d headers  payload %d bytes", len(ev.Headers), len(ev.Payload))
	if d.o.Payloads {
		fmt.Fprintf(d.w, "  %+q", ev.Payload[:min(len(ev.Payload), 256)])
	}
	d.w.WriteByte('\n')
}

// rows dumps a row file.
func (d *dumper) rows(path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	d.line("row file %s, %d bytes", printable([]byte(path)), info.Size())
	r, err := sealed.NewReader(f, info.Size(), sealed.ReaderOptions{})
	owner := uint64(0)
	if foreign, ok := errors.AsType[*sealed.ForeignError](err); ok {
		owner = foreign.Have
		r, err = sealed.NewReader(f, info.Size(), sealed.ReaderOptions{Owner: owner})
	}
	if err != nil {
		d.line("  DAMAGED: %v", err)
		return nil
	}
	total, err := r.Info()
	if err != nil {
		d.line("  owner %s  footer DAMAGED: %v", ownerString(owner), err)
		return nil
	}
	d.line("  owner %s  %d runs  %d rows  %d bytes before compression  footer ok", ownerString(owner), total.Runs, total.Rows, total.RawBytes)
	var block sealed.Block
	for info, err := range r.Runs() {
		if err != nil {
			d.line("  directory DAMAGED: %v", err)
			return nil
		}
		if err := d.ctx.Err(); err != nil {
			return err
		}
		d.line("  run of log %d  %d to %d  %d rows  %s to %s  %d of %d bytes  index at %d", info.Log, info.First, info.Last, info.Rows,
			when(info.MinTime), when(info.MaxTime), info.StoredBytes, info.RawBytes, info.Location.Offset)
		run, err := r.Run(info.Location)
		if err != nil {
			d.line("    index DAMAGED: %v", err)
			continue
		}
		for i := range run.Blocks() {
			b := run.Block(i)
			state := "ok"
			if err := run.Decode(i, &block, sealed.All); err != nil {
				state = "DAMAGED: " + err.Error()
			}
			d.line("    block at %d  %d bytes  %d to %d  %d rows  %s", b.Offset, b.StoredBytes, b.First, b.Last, b.Rows, state)
			if d.o.Payloads && state == "ok" {
				d.blockRows(run, b)
			}
		}
	}
	return nil
}

// blockRows dumps the rows of a block.
func (d *dumper) blockRows(run *sealed.Run, b sealed.BlockInfo) {
	c := run.Cursor(b.First, b.Last+1)
	for c.Next() {
		row := c.Row()
		headers, err := decodeHeaders(row.Headers, nil)
		if err != nil && len(row.Headers) > 0 {
			d.line("              %d  DAMAGED: %s", row.Seq, printable([]byte(err.Error())))
			continue
		}
		d.entry(&Event{
			Seq: Seq(row.Seq), Time: row.Time, Kind: Kind(row.Kind), Encoding: Encoding(row.Encoding), Origin: Origin(row.Origin),
			Idempotency: row.Idempotency, Tombstone: row.Flags&rowTombstone != 0, Key: row.Key, Headers: headers, Payload: row.Payload,
		})
	}
	if err := c.Err(); err != nil {
		d.line("              DAMAGED: %v", err)
	}
}
