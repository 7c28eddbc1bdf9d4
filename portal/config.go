package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
)

// config is what the operator writes (desired/portal.py).
type config struct {
	Listen string `json:"listen"`
	// Path is where the page is on the host, without a slash at its end.
	Path                  string `json:"path"`
	ContentSecurityPolicy string `json:"contentSecurityPolicy"`
	Title                 string `json:"title"`
	// Page is handed to the page as it is.
	Page json.RawMessage `json:"page"`
}

func load(file string) (config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return config{}, err
	}
	return parse(text)
}

func parse(text []byte) (config, error) {
	var read config
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&read); err != nil {
		return config{}, fmt.Errorf("the configuration: %w", err)
	}
	switch {
	case read.Listen == "":
		return config{}, errors.New("the configuration: listen is missing: an address such as :8080")
	case !strings.HasPrefix(read.Path, "/") || strings.HasSuffix(read.Path, "/"):
		return config{}, fmt.Errorf("the configuration: path is %q: it begins with a slash and ends without one", read.Path)
	case read.ContentSecurityPolicy == "":
		return config{}, errors.New("the configuration: contentSecurityPolicy is missing")
	case len(read.Page) == 0:
		return config{}, errors.New("the configuration: page is missing: an object")
	}
	return read, nil
}
