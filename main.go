// Command revela trains dense retrievers from raw text and measures them; see README.md.
package main

import (
	"os"
	"runtime"

	"revela/cli"
)

func main() {
	runtime.LockOSThread() // libtorch keeps a team of threads for each that computes; see train.Run
	os.Exit(cli.Main(os.Args))
}
