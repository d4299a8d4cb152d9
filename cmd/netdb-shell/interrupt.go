package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// interrupts turns signals into the end of what runs. Ctrl-C ends the running command; without one it is told to the prompt,
// or ends a script. SIGTERM, and SIGHUP when the terminal goes away, end everything. A second signal while the first is not yet
// obeyed ends the process as it is.
type interrupts struct {
	idle chan struct{} // a Ctrl-C while no command ran
	sig  chan os.Signal
	done chan struct{}
	all  context.CancelFunc
	hard func() // ends the process

	mu     sync.Mutex
	cancel context.CancelFunc // of the running command
	asked  bool               // it was told to end
}

// watchInterrupts starts watching; stop ends it. The context it returns is over when everything should end.
func watchInterrupts(ctx context.Context, prompt bool, hard func()) (context.Context, *interrupts) {
	ctx, cancel := context.WithCancel(ctx)
	i := &interrupts{idle: make(chan struct{}, 1), sig: make(chan os.Signal, 4), done: make(chan struct{}), all: cancel, hard: hard}
	signal.Notify(i.sig, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as nohup does
		signal.Notify(i.sig, syscall.SIGHUP)
	}
	signal.Ignore(syscall.SIGPIPE) // a write fails instead, and the store is closed as it should
	go i.watch(prompt)
	return ctx, i
}

// watch runs until stop.
func (i *interrupts) watch(prompt bool) {
	defer close(i.done)
	over := false
	end := func() {
		if over {
			i.hard()
		}
		over = true
		i.all()
	}
	for s := range i.sig {
		switch {
		case s != os.Interrupt:
			end()
		case i.interruptRunning():
		case prompt:
			select {
			case i.idle <- struct{}{}:
			default:
			}
		default:
			end()
		}
	}
}

// interruptRunning ends the running command and reports whether there is one.
func (i *interrupts) interruptRunning() bool {
	i.mu.Lock()
	cancel, again := i.cancel, i.asked
	i.asked = true
	i.mu.Unlock()
	if cancel == nil {
		return false
	}
	if again {
		i.hard()
	}
	cancel()
	return true
}

// during returns a context for a command that Ctrl-C ends, and what to call when the command is over, which reports whether
// Ctrl-C was pressed meanwhile. A command inside a command has the outer one's.
func (i *interrupts) during(ctx context.Context) (context.Context, func() bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.cancel != nil {
		return ctx, func() bool { return false }
	}
	ctx, cancel := context.WithCancel(ctx)
	i.cancel, i.asked = cancel, false
	return ctx, func() bool {
		i.mu.Lock()
		asked := i.asked
		i.cancel = nil
		i.mu.Unlock()
		cancel()
		return asked
	}
}

// stop ends watching.
func (i *interrupts) stop() {
	signal.Stop(i.sig)
	close(i.sig)
	<-i.done
	i.all()
}
