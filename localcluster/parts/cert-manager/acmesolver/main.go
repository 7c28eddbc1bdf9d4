// acmesolver answers one ACME HTTP-01 challenge, told by its flags. cert-manager's controller starts a pod of it for
// each challenge and gives it these flags and no command.
package main

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"

	"github.com/cert-manager/cert-manager/pkg/issuer/acme/http/solver"
	"github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
)

func main() {
	var challenge solver.HTTP01Solver
	flag.IntVar(&challenge.ListenPort, "listen-port", 8089, "port to answer on")
	flag.StringVar(&challenge.Domain, "domain", "", "host name that is being validated")
	flag.StringVar(&challenge.Token, "token", "", "last part of the path that is asked for")
	flag.StringVar(&challenge.Key, "key", "", "answer")
	version := flag.Bool("version", false, "tell the version and end")
	flag.Parse()
	if *version {
		fmt.Println(util.VersionInfo().GitVersion)
		return
	}
	logs.InitLogs()
	if err := challenge.Listen(logs.Log); !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, "acmesolver:", err)
		os.Exit(1)
	}
}
