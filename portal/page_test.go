package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

const right = `{"listen": ":8080", "path": "/map", "contentSecurityPolicy": "default-src 'none'", "title": "A & B <b>",
 "page": {"title": "</script><script>alert(1)</script>", "things": "https://iot.example/v1.1/Things?a=1&b=\"2\""}}`

var script = strings.Repeat("console.log('a page');\n", 100)

func served(t *testing.T) *page {
	t.Helper()
	from, err := parse([]byte(right))
	if err != nil {
		t.Fatal(err)
	}
	folder := fstest.MapFS{
		"index.html":        {Data: []byte(`<title>{{title}}</title><link href="{{things}}"><script type="application/json">{{configuration}}</script>`)},
		"assets/main-1a.js": {Data: []byte(script)},
		"build.sh":          {Data: []byte("not a part of the page")},
	}
	made, err := newPage(from, folder)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func ask(t *testing.T, method, path string, headers map[string]string) *http.Response {
	t.Helper()
	request := httptest.NewRequest(method, path, nil)
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	recorder := httptest.NewRecorder()
	served(t).ServeHTTP(recorder, request)
	return recorder.Result()
}

func text(t *testing.T, response *http.Response) string {
	t.Helper()
	var body io.Reader = response.Body
	if response.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			t.Fatal(err)
		}
		body = unpacked
	}
	read, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(read)
}

func TestThePageHoldsItsConfigurationAndNothingInItEndsTheElement(t *testing.T) {
	page := text(t, ask(t, "GET", "/map/", nil))
	if !strings.Contains(page, "<title>A &amp; B &lt;b&gt;</title>") {
		t.Errorf("the title is not escaped: %s", page)
	}
	if !strings.Contains(page, `href="https://iot.example/v1.1/Things?a=1&amp;b=&#34;2&#34;"`) {
		t.Errorf("the first request is not escaped: %s", page)
	}
	_, after, _ := strings.Cut(page, `<script type="application/json">`)
	data, rest, _ := strings.Cut(after, "</script>")
	if rest != "" {
		t.Errorf("something ends the element before its end: %s", page)
	}
	var told map[string]string
	if err := json.Unmarshal([]byte(data), &told); err != nil || told["title"] != "</script><script>alert(1)</script>" {
		t.Errorf("what the page reads is not what was given: %v, %v", told, err)
	}
}

func TestHeaders(t *testing.T) {
	for path, caching := range map[string]string{
		"/map/":                  "no-cache",
		"/map/assets/main-1a.js": "public, max-age=31536000, immutable",
	} {
		header := ask(t, "GET", path, nil).Header
		for name, wanted := range map[string]string{
			"Content-Security-Policy": "default-src 'none'",
			"X-Content-Type-Options":  "nosniff",
			"Cache-Control":           caching,
			"Vary":                    "Accept-Encoding",
		} {
			if got := header.Get(name); got != wanted {
				t.Errorf("%s: %s is %q, not %q", path, name, got, wanted)
			}
		}
	}
}

func TestOnlyThePageIsServed(t *testing.T) {
	for path, status := range map[string]int{
		"/map":                   http.StatusPermanentRedirect,
		"/map/":                  http.StatusOK,
		"/map/index.html":        http.StatusOK,
		"/map/assets/main-1a.js": http.StatusOK,
		"/map/build.sh":          http.StatusNotFound,
		"/map/assets/":           http.StatusNotFound,
		"/map/../etc/passwd":     http.StatusNotFound,
		"/mapping":               http.StatusNotFound,
		"/":                      http.StatusNotFound,
		"/index.html":            http.StatusNotFound,
	} {
		if got := ask(t, "GET", path, nil).StatusCode; got != status {
			t.Errorf("%s: %d, not %d", path, got, status)
		}
	}
	if location := ask(t, "GET", "/map", nil).Header.Get("Location"); location != "/map/" {
		t.Errorf("the redirect leads to %q", location)
	}
	if got := ask(t, "POST", "/map/", nil); got.StatusCode != http.StatusMethodNotAllowed || got.Header.Get("Allow") == "" {
		t.Errorf("POST: %d", got.StatusCode)
	}
}

func TestEncodings(t *testing.T) {
	const asset = "/map/assets/main-1a.js"
	for accepted, wanted := range map[string]string{
		"":                       "",
		"gzip":                   "gzip",
		"br, GZIP;q=0.5":         "gzip",
		"gzip;q=0":               "",
		"gzip; q=0.000, deflate": "",
		"deflate":                "",
	} {
		response := ask(t, "GET", asset, map[string]string{"Accept-Encoding": accepted})
		if got := response.Header.Get("Content-Encoding"); got != wanted {
			t.Errorf("%q: encoded %q, not %q", accepted, got, wanted)
		}
		if text(t, response) != script {
			t.Errorf("%q: another text arrives", accepted)
		}
	}
}

func TestHeadIsAnsweredWithoutABody(t *testing.T) {
	response := ask(t, "HEAD", "/map/assets/main-1a.js", nil)
	if body := text(t, response); body != "" || response.Header.Get("Content-Length") == "0" {
		t.Errorf("length %s, body %q", response.Header.Get("Content-Length"), body)
	}
}

func TestWhatABrowserHasIsNotSentAgain(t *testing.T) {
	for _, encoding := range []string{"", "gzip"} {
		first := ask(t, "GET", "/map/assets/main-1a.js", map[string]string{"Accept-Encoding": encoding})
		tag := first.Header.Get("ETag")
		for _, given := range []string{tag, "W/" + tag, `"other", ` + tag} {
			again := ask(t, "GET", "/map/assets/main-1a.js", map[string]string{"Accept-Encoding": encoding, "If-None-Match": given})
			if again.StatusCode != http.StatusNotModified {
				t.Errorf("%q: %d", given, again.StatusCode)
			}
		}
		other := ask(t, "GET", "/map/", map[string]string{"Accept-Encoding": encoding, "If-None-Match": tag})
		if other.StatusCode != http.StatusOK {
			t.Errorf("another file: %d", other.StatusCode)
		}
	}
}

func TestConfigurations(t *testing.T) {
	for change, told := range map[[2]string]string{
		{`":8080"`, `""`}:                              "listen",
		{`"/map"`, `"map"`}:                            "path",
		{`"/map"`, `"/map/"`}:                          "path",
		{`"default-src 'none'"`, `""`}:                 "contentSecurityPolicy",
		{`"listen"`, `"lisen"`}:                        "lisen",
		{`"title": "A & B <b>"`, `"title": ["A & B"]`}: "title",
	} {
		_, err := parse([]byte(strings.Replace(right, change[0], change[1], 1)))
		if err == nil || !strings.Contains(err.Error(), told) {
			t.Errorf("%v: %v", change, err)
		}
	}
	if _, err := parse([]byte(`{"listen": ":1", "path": "/m", "contentSecurityPolicy": "x"}`)); err == nil {
		t.Error("a configuration without a page is taken")
	}
}

func TestAFolderWithoutAPageIsRefused(t *testing.T) {
	from, err := parse([]byte(right))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newPage(from, fstest.MapFS{"assets/a.js": {Data: []byte("1")}}); err == nil {
		t.Error("it is served")
	}
	from.Page = []byte(`[1]`)
	if _, err := newPage(from, fstest.MapFS{"index.html": {Data: []byte("{{things}}")}}); err == nil {
		t.Error("a page that is no object is taken")
	}
}

func FuzzAcceptEncoding(f *testing.F) {
	f.Add("gzip;q=0.1, br")
	f.Fuzz(func(t *testing.T, accepted string) {
		request := httptest.NewRequest("GET", "/", nil)
		request.Header.Set("Accept-Encoding", accepted)
		if takesGzip(request) && !bytes.Contains(bytes.ToLower([]byte(accepted)), []byte("gzip")) {
			t.Errorf("gzip is sent to who takes %q", accepted)
		}
	})
}
