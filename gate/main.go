// The MQTT gate stands in front of FROST-Server's MQTT module and lets through what is known to be allowed.
package main

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"sensorthings.city/mqtt-gate/internal/config"
	"sensorthings.city/mqtt-gate/internal/server"
)

func main() {
	file := flag.String("config", "", "the configuration, a JSON `file`")
	debug := flag.Bool("debug", false, "log what is refused, a bounded number of lines in a second")
	flag.Parse()
	level := slog.LevelInfo
	if *debug {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: level}))
	slog.SetDefault(log)
	if err := run(*file, log); err != nil {
		log.Error("The gate can't start.", "error", err)
		os.Exit(1)
	}
}

func run(file string, log *slog.Logger) error {
	loaded, err := config.Load(file)
	if err != nil {
		return err
	}
	listening, err := server.Listen(loaded, log)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	log.Info("The gate listens.", "mqtt", loaded.Listen.MQTT, "webSocket", loaded.Listen.WebSocket, "auth", loaded.Auth.Type,
		"publishing", loaded.Publishing != nil)
	listening.Run(ctx)
	log.Info("The gate has ended.")
	return nil
}
