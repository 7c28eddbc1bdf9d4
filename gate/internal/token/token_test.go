package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sensorthings.city/mqtt-gate/internal/config"
	"sensorthings.city/mqtt-gate/internal/fake"
	"sensorthings.city/mqtt-gate/internal/token"
)

func issuer(t *testing.T) *fake.Issuer {
	i := fake.NewIssuer()
	t.Cleanup(i.Server.Close)
	return i
}

func verifier(i *fake.Issuer) *token.Verifier {
	return token.New(config.Realm{Issuer: i.URL(), ClientID: "frost"})
}

func TestAGoodTokenTellsWhoAndWhat(t *testing.T) {
	i := issuer(t)
	got, err := verifier(i).Verify(i.Token("gateway", "read", "create"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Subject != "gateway" || got.Issuer != i.URL() || !slices.Equal(got.Roles, []string{"read", "create"}) ||
		time.Until(got.Expires).Round(time.Second) > time.Minute {
		t.Errorf("token %+v", got)
	}
}

func TestKeysOfOtherFamilies(t *testing.T) {
	i := issuer(t)
	elliptic, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	i.AddKey("es", elliptic, "sig")
	key := fake.Key()
	i.AddKey("ps", key, "sig")
	for name, raw := range map[string]string{
		"ES256": fake.Sign(jose.ES256, elliptic, "es", i.Claims("a")), "PS256": fake.Sign(jose.PS256, key, "ps", i.Claims("a")),
	} {
		if _, err := verifier(i).Verify(raw); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// unsigned makes a token with the algorithm "none".
func unsigned(claims map[string]any, algorithm string) string {
	header, _ := json.Marshal(map[string]string{"alg": algorithm, "kid": "sig", "typ": "JWT"})
	body, _ := json.Marshal(claims)
	return base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(body) + "."
}

func TestForgedAndForeignTokensAreRefused(t *testing.T) {
	i, evil := issuer(t), issuer(t)
	good := i.Token("reader", "read")
	parts := strings.Split(good, ".")
	richer, _ := json.Marshal(i.Claims("reader", "read", "create"))
	own := fake.Key()
	with := func(name string, value any) string {
		claims := i.Claims("gateway", "create")
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
		return i.Sign(claims)
	}
	public := i.Server.Certificate() // nil: the fake speaks plain HTTP
	if public != nil {
		t.Fatal("the fake speaks TLS")
	}
	for name, raw := range map[string]string{
		"empty": "", "garbage": "not.a.token", "two parts": parts[0] + "." + parts[1],
		"another payload":      parts[0] + "." + base64.RawURLEncoding.EncodeToString(richer) + "." + parts[2],
		"no signature":         parts[0] + "." + parts[1] + ".",
		"a cut signature":      good[:len(good)-4],
		"alg none":             unsigned(i.Claims("gateway", "create"), "none"),
		"alg None":             unsigned(i.Claims("gateway", "create"), "None"),
		"alg none, signed":     unsigned(i.Claims("gateway", "create"), "none") + parts[2],
		"own key, same kid":    fake.Sign(jose.RS256, own, "sig", i.Claims("gateway", "create")),
		"own key, no kid":      fake.Sign(jose.RS256, own, "", i.Claims("gateway", "create")),
		"own key, other kid":   fake.Sign(jose.RS256, own, "mine", i.Claims("gateway", "create")),
		"embedded key":         embedded(own, i.Claims("gateway", "create")),
		"symmetric":            fake.Sign(jose.HS256, []byte(strings.Repeat("k", 32)), "sig", i.Claims("gateway", "create")),
		"another issuer":       evil.Token("gateway", "create"),
		"another issuer's key": fake.Sign(jose.RS256, own, "sig", i.Claims("gateway", "create")),
		"iss of another":       with("iss", evil.URL()),
		"audience of another":  with("aud", "otherapp"),
		"no audience":          with("aud", nil),
		"expired":              with("exp", time.Now().Add(-time.Second).Unix()),
		"no expiry":            with("exp", nil),
		"not yet":              with("nbf", time.Now().Add(time.Hour).Unix()),
		"no subject":           with("sub", nil),
		"ID token":             with("typ", "ID"),
		"refresh token":        with("typ", "Refresh"),
		"no type":              with("typ", nil),
	} {
		_, err := verifier(i).Verify(raw)
		if err == nil || errors.Is(err, token.ErrUnavailable) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// embedded makes a token that brings its own key along.
func embedded(key any, claims map[string]any) string {
	options := (&jose.SignerOptions{EmbedJWK: true}).WithType("JWT")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, options)
	if err != nil {
		panic(err)
	}
	body, _ := json.Marshal(claims)
	signed, err := signer.Sign(body)
	if err != nil {
		panic(err)
	}
	raw, _ := signed.CompactSerialize()
	return raw
}

func TestKeysForEncryptionSignNothing(t *testing.T) {
	i := issuer(t)
	key := fake.Key()
	i.AddKey("enc2", key, "enc")
	if _, err := verifier(i).Verify(fake.Sign(jose.RS256, key, "enc2", i.Claims("a"))); err == nil {
		t.Error("a key for encryption is taken")
	}
}

func TestRolesOfOtherClientsDoNotCount(t *testing.T) {
	i := issuer(t)
	claims := i.Claims("norole")
	claims["resource_access"] = map[string]any{"otherapp": map[string]any{"roles": []string{"create"}}}
	claims["realm_access"] = map[string]any{"roles": []string{"create"}}
	got, err := verifier(i).Verify(i.Sign(claims))
	if err != nil || len(got.Roles) != 0 {
		t.Errorf("roles %v, error %v", got.Roles, err)
	}
}

func TestKnownKeysOutliveTheIssuer(t *testing.T) {
	i := issuer(t)
	v := verifier(i)
	i.SetDown(true)
	if _, err := v.Verify(i.Token("a")); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("with no keys known the error is %v", err)
	}
	v = verifier(i)
	i.SetDown(false)
	if _, err := v.Verify(i.Token("a")); err != nil {
		t.Fatal(err)
	}
	i.SetDown(true)
	if _, err := v.Verify(i.Token("b")); err != nil {
		t.Errorf("with the issuer down: %v", err)
	}
}

func TestMadeUpKeyIDsDoNotMakeTheIssuerBusy(t *testing.T) {
	i := issuer(t)
	v := verifier(i)
	own := fake.Key()
	for _, id := range []string{"a", "b", "c", "d"} {
		if _, err := v.Verify(fake.Sign(jose.RS256, own, id, i.Claims("a"))); err == nil || errors.Is(err, token.ErrUnavailable) {
			t.Errorf("key %s: %v", id, err)
		}
	}
	if n := i.Fetches(); n != 1 {
		t.Errorf("keys were fetched %d times", n)
	}
}

func TestTheIssuerMayBeReachedElsewhere(t *testing.T) {
	i := issuer(t)
	i.Named = "https://id.city.example/realms/city"
	realm := config.Realm{Issuer: i.Named, URL: i.Server.URL, ClientID: "frost"}
	if _, err := token.New(realm).Verify(i.Token("a")); err != nil {
		t.Error(err)
	}
	realm.Issuer = "https://id.city.example/realms/other"
	if _, err := token.New(realm).Verify(i.Token("a")); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("a discovery document of another issuer gives %v", err)
	}
}

func TestPrivateCA(t *testing.T) {
	i := issuer(t)
	secure := httptest.NewTLSServer(i)
	t.Cleanup(secure.Close)
	i.Named = secure.URL
	file := filepath.Join(t.TempDir(), "ca.crt")
	realm := config.Realm{Issuer: i.Named, ClientID: "frost"}
	if _, err := token.New(realm).Verify(i.Token("a")); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("without the CA: %v", err)
	}
	realm.CAFile = file
	if _, err := token.New(realm).Verify(i.Token("a")); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("without the file: %v", err)
	}
	writeCA(t, file, secure.Certificate())
	if _, err := token.New(realm).Verify(i.Token("a")); err != nil {
		t.Errorf("with the CA: %v", err)
	}
}

func writeCA(t *testing.T, file string, certificate *x509.Certificate) {
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
	if err := os.WriteFile(file, block, 0o600); err != nil {
		t.Fatal(err)
	}
}
