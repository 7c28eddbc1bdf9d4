package server_test

import (
	"context"
	"log/slog"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
	mqtt "github.com/eclipse/paho.mqtt.golang"
	mochi "github.com/mochi-mqtt/server/v2"
	hooks "github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
)

// realBroker is mochi-mqtt's server, spoken to in MQTT 3.1.1 by the gate.
func realBroker(t *testing.T) (*mochi.Server, string) {
	t.Helper()
	broker := mochi.New(&mochi.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	_ = broker.AddHook(new(hooks.AllowHook), nil)
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := broker.AddListener(listeners.NewNet("tcp", socket)); err != nil {
		t.Fatal(err)
	}
	go func() { _ = broker.Serve() }()
	t.Cleanup(func() { _ = broker.Close() })
	return broker, socket.Addr().String()
}

func wait[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(5 * time.Second):
		t.Fatalf("this did not come: %s", what)
		panic("not reached")
	}
}

func TestPahoOfMQTT3(t *testing.T) {
	broker, address := realBroker(t)
	s := start(t, otherBroker(address))
	for name, c := range map[string]struct {
		address string
		version uint
	}{
		"tcp, 3.1.1": {"tcp://" + s.server.MQTT.Addr().String(), 4}, "tcp, 3.1": {"tcp://" + s.server.MQTT.Addr().String(), 3},
		"websocket": {"ws://" + s.server.WebSocket.Addr().String() + "/mqtt", 4},
	} {
		t.Run(name, func(t *testing.T) {
			options := mqtt.NewClientOptions().AddBroker(c.address).SetClientID("device").SetProtocolVersion(c.version).
				SetUsername("token").SetPassword(s.issuer.Token("gateway", "read", "create"))
			client := mqtt.NewClient(options)
			if token := client.Connect(); !token.WaitTimeout(5*time.Second) || token.Error() != nil {
				t.Fatal(token.Error())
			}
			defer client.Disconnect(100)
			got := make(chan string, 10)
			token := client.Subscribe("v1.1/#", 2, func(_ mqtt.Client, m mqtt.Message) { got <- string(m.Payload()) })
			if !token.WaitTimeout(5*time.Second) || token.Error() != nil {
				t.Fatal(token.Error())
			}
			for qos := byte(0); qos <= 2; qos++ {
				payload := string('0' + rune(qos))
				if err := broker.Publish(topic, []byte(payload), false, qos); err != nil {
					t.Fatal(err)
				}
				if text := wait(t, "the message", got); text != payload {
					t.Errorf("got %s, want %s", text, payload)
				}
				if token := client.Publish(topic, qos, false, payload); !token.WaitTimeout(5*time.Second) || token.Error() != nil {
					t.Errorf("publishing: %v", token.Error())
				}
			}
			before := len(s.http.posted())
			eventually(t, "three posts", func() bool { return len(s.http.posted()) >= before })
			if token := client.Unsubscribe("v1.1/#"); !token.WaitTimeout(5*time.Second) || token.Error() != nil {
				t.Error(token.Error())
			}
		})
	}
	eventually(t, "all posts", func() bool { return len(s.http.posted()) == 9 })
}

func TestPahoOfMQTT5(t *testing.T) {
	broker, address := realBroker(t)
	s := start(t, otherBroker(address))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	got := make(chan *paho.Publish, 10)
	where, _ := url.Parse("mqtt://" + s.server.MQTT.Addr().String())
	manager, err := autopaho.NewConnection(ctx, autopaho.ClientConfig{
		ServerUrls: []*url.URL{where}, KeepAlive: 20, CleanStartOnInitialConnection: true,
		ConnectUsername: "token", ConnectPassword: []byte(s.issuer.Token("gateway", "read", "create")),
		ClientConfig: paho.ClientConfig{ClientID: "device", OnPublishReceived: []func(paho.PublishReceived) (bool, error){
			func(p paho.PublishReceived) (bool, error) { got <- p.Packet; return true, nil },
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := manager.AwaitConnection(ctx); err != nil {
		t.Fatal(err)
	}
	suback, err := manager.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{
		{Topic: "v1.1/#", QoS: 2, NoLocal: true, RetainHandling: 1}, {Topic: "$SYS/#"},
	}})
	if suback == nil || string(suback.Reasons) != "\x02\x87" {
		t.Fatalf("SUBACK %+v, %v", suback, err)
	}
	for qos := byte(0); qos <= 2; qos++ {
		payload := string('0' + rune(qos))
		_ = broker.Publish(topic, []byte(payload), false, qos)
		if message := wait(t, "the message", got); string(message.Payload) != payload || message.QoS != qos || message.Topic != topic {
			t.Errorf("got %+v", message)
		}
		if _, err := manager.Publish(ctx, &paho.Publish{QoS: qos, Topic: topic, Payload: []byte(payload)}); err != nil {
			t.Errorf("publishing: %v", err)
		}
	}
	eventually(t, "all posts", func() bool { return len(s.http.posted()) == 3 })
	answer, err := manager.Publish(ctx, &paho.Publish{QoS: 1, Topic: "foo/bar", Payload: []byte("x")})
	if answer == nil || answer.ReasonCode != 0x90 {
		t.Errorf("publishing elsewhere: %+v, %v", answer, err)
	}
	if unsuback, err := manager.Unsubscribe(ctx, &paho.Unsubscribe{Topics: []string{"v1.1/#", "other"}}); err != nil || string(unsuback.Reasons) != "\x00\x11" {
		t.Errorf("UNSUBACK %+v, %v", unsuback, err)
	}
	_ = manager.Disconnect(ctx)
}

func TestMessagesWaitForAPersistentSession(t *testing.T) {
	broker, address := realBroker(t)
	s := start(t, otherBroker(address))
	hello := func(present string) *client {
		c := s.dial()
		c.send(connecting{version: 4, flags: 0xC0, id: "x", rest: join(text("u"), text(s.issuer.Token("a", "read")))}.bytes())
		c.expect("20 02" + present + "00")
		return c
	}
	c := hello("00")
	c.send(subscribe(4, 1, topic))
	c.expect("90 03 0001 01")
	c.send([]byte{0xE0, 0})
	c.expect("closed")
	eventually(t, "the end at the broker", func() bool { return len(broker.Clients.GetByListener("tcp")) == 0 })
	_ = broker.Publish(topic, []byte("kept"), false, 1)
	c = hello("01")
	if got := c.next(); got == nil || string(got[len(got)-4:]) != "kept" {
		t.Errorf("got %x", got)
	}
}
