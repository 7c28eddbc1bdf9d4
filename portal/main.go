// The portal serves the live map page of one SensorThings service: a handful of files, and what the page is told.
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	file := flag.String("config", "", "the configuration, a JSON `file`")
	folder := flag.String("page", "/page", "the `folder` with the page as it was built")
	flag.Parse()
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	if err := run(*file, *folder, log); err != nil {
		log.Error("The portal can't start.", "error", err)
		os.Exit(1)
	}
}

func run(file, folder string, log *slog.Logger) error {
	config, err := load(file)
	if err != nil {
		return err
	}
	handler, err := newPage(config, os.DirFS(folder))
	if err != nil {
		return err
	}
	server := &http.Server{
		Addr:              config.Listen,
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      60 * time.Second,
		// Longer than whatever stands in front keeps connections (nginx a minute, Envoy an hour): that closes them first.
		IdleTimeout:    2 * time.Hour,
		MaxHeaderBytes: 16 << 10,
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	log.Info("The portal listens.", "address", config.Listen, "path", config.Path)
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(patience); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	log.Info("The portal has ended.")
	return nil
}
