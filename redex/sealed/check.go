package sealed

import (
	"context"
	"errors"
	"fmt"
)

// Check reads and verifies the whole file and compares footer, directory, indexes and blocks. It calls damage for each damaged
// place, with the run it lies in when that is known, and returns only what stopped it: ctx, or an I/O error.
func (r *Reader) Check(ctx context.Context, damage func(RunInfo, *CorruptError)) error {
	report := func(run RunInfo, err error) error {
		if c, ok := errors.AsType[*CorruptError](err); ok {
			damage(run, c)
			return nil
		}
		return err
	}
	f, err := r.loadFooter()
	if err != nil {
		return report(RunInfo{}, err)
	}
	var sum FileInfo
	whole := true
	var blk Block
	for i := range f.pages {
		var stop error
		err := r.page(&f.pages[i], func(run *RunInfo) bool {
			sum.Runs++
			sum.Rows += run.Rows
			sum.RawBytes += run.RawBytes
			stop = r.checkRun(ctx, run, &blk, report)
			return stop == nil
		})
		if stop != nil {
			return stop
		}
		if err != nil {
			whole = false
			if err := report(RunInfo{}, err); err != nil {
				return err
			}
		}
	}
	if whole && (sum.Runs != f.info.Runs || sum.Rows != f.info.Rows || sum.RawBytes != f.info.RawBytes) {
		damage(RunInfo{}, &CorruptError{r.size - trailerBytes, errors.New("footer disagrees with directory")})
	}
	return nil
}

func (r *Reader) checkRun(ctx context.Context, want *RunInfo, blk *Block, report func(RunInfo, error) error) error {
	run, err := r.Run(want.Location)
	if err != nil {
		return report(*want, err)
	}
	if run.info != *want {
		if err := report(*want, &CorruptError{want.Location.Offset, fmt.Errorf("index %+v disagrees with directory %+v", run.info, *want)}); err != nil {
			return err
		}
	}
	for i := range run.blocks {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := run.Decode(i, blk, All)
		if err == nil {
			e := &run.blocks[i]
			for _, t := range blk.Time {
				if t < e.minTime || t > e.maxTime {
					err = &CorruptError{run.offsets[i], errors.New("time outside of the index's bounds")}
					break
				}
			}
		}
		if err != nil {
			if err := report(*want, err); err != nil {
				return err
			}
		}
	}
	return nil
}
