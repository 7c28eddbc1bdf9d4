package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// The types of what a page is made of. Whatever else lies in the folder is not served.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
	".txt":  "text/plain; charset=utf-8",
}

const index = "index.html"

// file is one answer, in the encodings that browsers take.
type file struct {
	plain, gzip []byte
	contentType string
	tag         string
	// Its name holds a hash of what is in it.
	immutable bool
}

type page struct {
	path   string
	policy string
	files  map[string]file
}

// newPage reads the folder once: requests touch no disk.
func newPage(from config, folder fs.FS) (*page, error) {
	made := &page{path: from.Path, policy: from.ContentSecurityPolicy, files: map[string]file{}}
	err := fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || types[path.Ext(name)] == "" {
			return err
		}
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return err
		}
		if name == index {
			text, err = filled(text, from)
		}
		if err == nil {
			made.files[name], err = newFile(name, text)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if _, there := made.files[index]; !there {
		return nil, fmt.Errorf("there is no %s in the page's folder", index)
	}
	return made, nil
}

// filled puts the configuration into the page, so that it needs no request of its own.
func filled(text []byte, from config) ([]byte, error) {
	var told struct {
		Things string `json:"things"`
	}
	if err := json.Unmarshal(from.Page, &told); err != nil {
		return nil, fmt.Errorf("the configuration: page: %w", err)
	}
	var data bytes.Buffer
	// Nothing in it ends the element that it stands in.
	json.HTMLEscape(&data, from.Page)
	fill := strings.NewReplacer(
		"{{title}}", html.EscapeString(from.Title),
		"{{things}}", html.EscapeString(told.Things),
		"{{configuration}}", data.String(),
	)
	return []byte(fill.Replace(string(text))), nil
}

func newFile(name string, text []byte) (file, error) {
	var small bytes.Buffer
	writer, err := gzip.NewWriterLevel(&small, gzip.BestCompression)
	if err != nil {
		return file{}, err
	}
	if _, err := writer.Write(text); err != nil {
		return file{}, err
	}
	if err := writer.Close(); err != nil {
		return file{}, err
	}
	sum := sha256.Sum256(text)
	return file{
		plain:       text,
		gzip:        small.Bytes(),
		contentType: types[path.Ext(name)],
		tag:         hex.EncodeToString(sum[:8]),
		immutable:   strings.HasPrefix(name, "assets/"),
	}, nil
}

func (p *page) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodGet && request.Method != http.MethodHead {
		writer.Header().Set("Allow", "GET, HEAD")
		http.Error(writer, "this page is only read", http.StatusMethodNotAllowed)
		return
	}
	if request.URL.Path == p.path {
		// Assets are named relative to the page.
		writer.Header().Set("Location", p.path+"/")
		writer.WriteHeader(http.StatusPermanentRedirect)
		return
	}
	name, below := strings.CutPrefix(request.URL.Path, p.path+"/")
	if name == "" {
		name = index
	}
	found, there := p.files[name]
	if !below || !there {
		http.NotFound(writer, request)
		return
	}
	p.answer(writer, request, found)
}

func (p *page) answer(writer http.ResponseWriter, request *http.Request, found file) {
	header := writer.Header()
	header.Set("Content-Type", found.contentType)
	header.Set("Content-Security-Policy", p.policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "strict-origin-when-cross-origin")
	header.Set("Vary", "Accept-Encoding")
	if found.immutable {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		header.Set("Cache-Control", "no-cache")
	}
	body, tag := found.plain, found.tag
	if takesGzip(request) && len(found.gzip) < len(found.plain) {
		body, tag = found.gzip, tag+"-gzip"
		header.Set("Content-Encoding", "gzip")
	}
	header.Set("ETag", strconv.Quote(tag))
	if has(request.Header.Get("If-None-Match"), strconv.Quote(tag)) {
		header.Del("Content-Encoding")
		writer.WriteHeader(http.StatusNotModified)
		return
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	if request.Method == http.MethodGet {
		_, _ = writer.Write(body)
	}
}

// takesGzip reads Accept-Encoding (RFC 9110, 12.5.3): gzip counts unless its weight is nought.
func takesGzip(request *http.Request) bool {
	for _, each := range strings.Split(request.Header.Get("Accept-Encoding"), ",") {
		coding, weight, weighed := strings.Cut(strings.ReplaceAll(strings.ToLower(each), " ", ""), ";q=")
		if coding == "gzip" {
			value, err := strconv.ParseFloat(weight, 64)
			return !weighed || (err == nil && value > 0)
		}
	}
	return false
}

func has(given, tag string) bool {
	for _, each := range strings.Split(given, ",") {
		if strings.TrimPrefix(strings.TrimSpace(each), "W/") == tag {
			return true
		}
	}
	return false
}
