package listen

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// webSocket is a connection whose bytes travel in binary frames. Packets of MQTT need not keep to the borders of frames
// [MQTT-6.0.0-2], so frames are read as a stream, none is ever held whole.
type webSocket struct {
	net.Conn
	buffer *bufio.Reader
	header ws.Header // of the frame that is being read
	read   int64     // bytes of it
	within bool      // a message has begun whose last frame has not come

	mu sync.Mutex // held while a frame is written: pongs come from the reading side
}

var (
	errClosed = errors.New("the client closed the WebSocket")
	errFrame  = errors.New("a WebSocket frame that is not allowed")
)

// Read implements io.Reader.
func (w *webSocket) Read(p []byte) (int, error) {
	for w.read == w.header.Length {
		if err := w.next(); err != nil {
			return 0, err
		}
	}
	if left := w.header.Length - w.read; int64(len(p)) > left {
		p = p[:left]
	}
	n, err := w.buffer.Read(p)
	ws.Cipher(p[:n], w.header.Mask, int(w.read%4))
	w.read += int64(n)
	return n, err
}

// ReadByte implements io.ByteReader.
func (w *webSocket) ReadByte() (byte, error) {
	var one [1]byte
	for {
		if n, err := w.Read(one[:]); n == 1 || err != nil {
			return one[0], err
		}
	}
}

// next reads the header of the next frame with data, and answers control frames before it.
func (w *webSocket) next() error {
	header, err := ws.ReadHeader(w.buffer)
	if err != nil {
		return err
	}
	if err := w.check(header); err != nil {
		_ = w.write(ws.OpClose, ws.NewCloseFrameBody(ws.StatusProtocolError, ""))
		return err
	}
	if header.OpCode.IsControl() {
		return w.control(header)
	}
	w.header, w.read, w.within = header, 0, !header.Fin
	return nil
}

// check takes masked frames without extensions (RFC 6455, section 5), and binary ones only [MQTT-6.0.0-1].
func (w *webSocket) check(header ws.Header) error {
	first := header.OpCode == ws.OpBinary && !w.within
	further := header.OpCode == ws.OpContinuation && w.within
	control := header.OpCode.IsControl() && header.Fin && header.Length <= ws.MaxControlFramePayloadSize
	known := header.OpCode == ws.OpPing || header.OpCode == ws.OpPong || header.OpCode == ws.OpClose
	if !header.Masked || header.Rsv != 0 || header.Length < 0 || !(first || further || (control && known)) {
		return errFrame
	}
	return nil
}

// control handles a ping, pong or close.
func (w *webSocket) control(header ws.Header) error {
	payload := make([]byte, header.Length)
	if _, err := io.ReadFull(w.buffer, payload); err != nil {
		return err
	}
	ws.Cipher(payload, header.Mask, 0)
	switch header.OpCode {
	case ws.OpPing:
		_ = w.SetWriteDeadline(time.Now().Add(controlTime))
		return w.write(ws.OpPong, payload)
	case ws.OpClose:
		_ = w.write(ws.OpClose, payload[:min(len(payload), 2)])
		return errClosed
	default:
		return nil
	}
}

const controlTime = 10 * time.Second

// Write implements io.Writer: each call makes one frame.
func (w *webSocket) Write(p []byte) (int, error) {
	if err := w.write(ws.OpBinary, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// write sends a frame in one go. Frames of servers are not masked.
func (w *webSocket) write(code ws.OpCode, payload []byte) error {
	frame := make([]byte, 0, ws.MaxHeaderSize+len(payload))
	frame = append(frame, 0x80|byte(code))
	switch n := len(payload); {
	case n < 126:
		frame = append(frame, byte(n))
	case n < 1<<16:
		frame = binary.BigEndian.AppendUint16(append(frame, 126), uint16(n))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, 127), uint64(n))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.Conn.Write(append(frame, payload...))
	return err
}
