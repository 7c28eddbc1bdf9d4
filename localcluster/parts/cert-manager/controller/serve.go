package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	certmanager "github.com/cert-manager/cert-manager/pkg/controller"
)

// serve answers /livez and /metrics on ports of their own until the context ends. The metrics tell the state of issuers,
// certificates and challenges out of the informers.
func serve(ctx context.Context, group *errgroup.Group, shared *certmanager.Context, settings settings) error {
	health, err := net.Listen("tcp", settings.healthAddress)
	if err != nil {
		return err
	}
	figures, err := net.Listen("tcp", settings.metricsAddress)
	if err != nil {
		return err
	}
	live := http.NewServeMux()
	live.HandleFunc("GET /livez", func(http.ResponseWriter, *http.Request) {})
	keep(ctx, group, health, &http.Server{Handler: live, ReadHeaderTimeout: 10 * time.Second})
	known := shared.SharedInformerFactory
	shared.Metrics.SetupCertificateCollector(known.Certmanager().V1().Certificates().Lister())
	shared.Metrics.SetupIssuerCollector(known.Certmanager().V1().Issuers().Lister())
	shared.Metrics.SetupClusterIssuerCollector(known.Certmanager().V1().ClusterIssuers().Lister())
	shared.Metrics.SetupACMECollector(known.Acme().V1().Challenges().Lister())
	keep(ctx, group, figures, shared.Metrics.NewServer(figures))
	return nil
}

func keep(ctx context.Context, group *errgroup.Group, listener net.Listener, server *http.Server) {
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		return server.Close()
	})
}
