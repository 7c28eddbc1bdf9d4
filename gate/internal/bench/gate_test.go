package bench

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"sensorthings.city/mqtt-gate/internal/config"
	"sensorthings.city/mqtt-gate/internal/server"
)

// asGate is set where this program is run as the gate itself, so that its memory is that of the gate alone.
const asGate = "BENCH_AS_GATE"

func TestMain(m *testing.M) {
	if text := os.Getenv(asGate); text != "" {
		runGate(text)
		return
	}
	os.Exit(m.Run())
}

func runGate(text string) {
	loaded, err := config.Parse([]byte(text))
	if err != nil {
		panic(err)
	}
	s, err := server.Listen(loaded, slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	addresses, _ := json.Marshal([]string{s.MQTT.Addr().String(), s.WebSocket.Addr().String()})
	_, _ = os.Stdout.Write(append(addresses, '\n'))
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the benchmark
		cancel()
	}()
	s.Run(ctx)
}

type gate struct {
	mqtt, webSocket string
	process         *os.Process
}

func startGate(b *testing.B, broker string) gate {
	text, _ := json.Marshal(map[string]any{
		"listen": map[string]string{"mqtt": "127.0.0.1:0", "webSocket": "127.0.0.1:0", "status": "127.0.0.1:0"},
		"broker": broker, "auth": map[string]any{"type": "None"}, "limits": map[string]any{},
	})
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), asGate+"="+string(text))
	stdin, _ := command.StdinPipe()
	stdout, _ := command.StdoutPipe()
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = command.Wait()
	})
	var addresses []string
	if err := json.NewDecoder(stdout).Decode(&addresses); err != nil {
		b.Fatal(err)
	}
	return gate{addresses[0], addresses[1], command.Process}
}

// resident is the gate's resident memory in bytes.
func (g gate) resident(b *testing.B) float64 { return g.memory(b, "VmRSS:") }

// most is the largest that it has been.
func (g gate) most(b *testing.B) float64 { return g.memory(b, "VmHWM:") }

// memory reads a figure of proc(5).
func (g gate) memory(b *testing.B, figure string) float64 {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(g.process.Pid) + "/status")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, figure); ok {
			kilobytes, _ := strconv.Atoi(strings.Fields(rest)[0])
			return float64(kilobytes) * 1024
		}
	}
	b.Fatal("no " + figure)
	return 0
}
