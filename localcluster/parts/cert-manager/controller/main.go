// controller runs cert-manager's control loops: SelfSigned, CA and ACME issuers, certificates and their renewal,
// certificates for Ingresses. It is put together from cert-manager's published packages, since the program that
// upstream releases lies in a Go module that is not published.
//
// Without leader election: let only one run at a time. Without upstream's webhook: what that would refuse shows as a
// condition of the object instead.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"

	certmanager "github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
)

// workers of each control loop, as many as upstream starts.
const workers = 5

func main() {
	settings := parse()
	if settings.version {
		fmt.Println(util.VersionInfo().GitVersion)
		return
	}
	logs.InitLogs()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(logs.NewContext(ctx, logs.Log), settings); err != nil {
		fmt.Fprintln(os.Stderr, "controller:", err)
		os.Exit(1)
	}
}

func parse() settings {
	var given settings
	klog.InitFlags(nil)
	given.register(flag.CommandLine)
	flag.Parse()
	return given
}

// run starts everything and returns when it is told to stop, or when a part has failed.
func run(ctx context.Context, settings settings) error {
	factory, err := certmanager.NewContextFactory(ctx, settings.options())
	if err != nil {
		return err
	}
	shared, err := factory.Build()
	if err != nil {
		return err
	}
	loops, err := build(factory)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	if err := serve(ctx, group, shared, settings); err != nil {
		return err
	}
	// Only now: an informer that a loop asked for after the start of its factory would never be filled.
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	shared.GWShared.Start(ctx.Done())
	for name, loop := range loops {
		group.Go(func() error {
			if err := loop.Run(workers, ctx); err != nil && ctx.Err() == nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	}
	return group.Wait()
}
