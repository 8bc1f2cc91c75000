// Command revela trains dense retrievers from raw text and measures them; see README.md.
package main

import (
	"os"

	"revela/cli"
)

func main() { os.Exit(cli.Main(os.Args)) }
