package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Main runs the program on the process's own streams and returns its exit status. The first Ctrl-C (or
// SIGTERM) asks the command to end cleanly; a second one ends the process at once.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return Run(ctx, args, os.Stdout, os.Stderr)
}
