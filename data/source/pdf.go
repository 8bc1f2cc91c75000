package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// startPDF starts PDFium, compiled to WebAssembly: no damage in a file can leave its sandbox. What is compiled of it is
// kept in the user's cache, since that takes seconds. It runs until the program ends.
var startPDF = sync.OnceValues(func() (pdfium.Pool, error) {
	config := wazero.NewRuntimeConfig().WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesExceptionHandling)
	if dir, err := os.UserCacheDir(); err == nil {
		if cache, err := wazero.NewCompilationCacheWithDir(filepath.Join(dir, "revela", "pdfium")); err == nil {
			config = config.WithCompilationCache(cache)
		}
	}
	most := runtime.GOMAXPROCS(0)
	return webassembly.Init(webassembly.Config{
		Context: context.Background(), MinIdle: 1, MaxIdle: most, MaxTotal: most, RuntimeConfig: config,
		FSConfig: wazero.NewFSConfig(), // no file of this machine is seen in the sandbox
		Stdout:   io.Discard, Stderr: io.Discard, ReuseWorkers: true,
	})
})

// maxPDFWait is how long a document waits for another one to be done.
const maxPDFWait = 10 * time.Minute

// parsePDF returns the text of a PDF. Scanned pages have none.
func parsePDF(raw []byte) (d Document, err error) {
	pool, err := startPDF()
	if err != nil {
		return d, fmt.Errorf("start PDFium: %w", err)
	}
	instance, err := pool.GetInstance(maxPDFWait)
	if err != nil {
		return d, fmt.Errorf("start PDFium: %w", err)
	}
	defer func() { err = errors.Join(err, instance.Close()) }()
	open, err := instance.OpenDocument(&requests.OpenDocument{File: &raw})
	if err != nil {
		return d, fmt.Errorf("broken PDF: %w", err)
	}
	defer func() {
		_, closed := instance.FPDF_CloseDocument(&requests.FPDF_CloseDocument{Document: open.Document})
		err = errors.Join(err, closed)
	}()
	d.Line = 1
	if title, err := instance.FPDF_GetMetaText(&requests.FPDF_GetMetaText{Document: open.Document, Tag: "Title"}); err == nil {
		d.Title = strings.TrimSpace(title.Value)
	}
	if d.Text, err = pdfText(instance, open.Document); err == nil && d.Text == "" {
		err = errors.New("PDF without text (scanned pages?), expected one with text")
	}
	return d, err
}

// pdfText puts the pages together. PDFium marks where a word was divided at the end of a line.
func pdfText(instance pdfium.Pdfium, document references.FPDF_DOCUMENT) (string, error) {
	count, err := instance.FPDF_GetPageCount(&requests.FPDF_GetPageCount{Document: document})
	if err != nil {
		return "", fmt.Errorf("broken PDF: %w", err)
	}
	var text strings.Builder
	for number := range count.PageCount {
		page, err := instance.GetPageText(&requests.GetPageText{
			Page: requests.Page{ByIndex: &requests.PageByIndex{Document: document, Index: number}},
		})
		if err != nil {
			return "", fmt.Errorf("broken PDF: page %d: %w", number+1, err)
		}
		text.WriteString(strings.TrimSpace(lineEnds.Replace(page.Text)))
		text.WriteString("\n\n")
	}
	return strings.ToValidUTF8(strings.TrimSpace(text.String()), "\ufffd"), nil
}

var lineEnds = strings.NewReplacer("\ufffe\r\n", "", "\x02\r\n", "", "\ufffe", "", "\x02", "", "\r\n", "\n", "\x00", "")
