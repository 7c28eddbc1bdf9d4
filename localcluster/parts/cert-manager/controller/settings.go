package main

import (
	"flag"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	certmanager "github.com/cert-manager/cert-manager/pkg/controller"
)

// settings are the flags, named as upstream names them.
type settings struct {
	clusterResourceNamespace string
	gatewayAPI               bool
	healthAddress            string
	kubeconfig               string
	metricsAddress           string
	solverImage              string
	version                  bool
}

func (s *settings) register(flags *flag.FlagSet) {
	flags.StringVar(&s.clusterResourceNamespace, "cluster-resource-namespace", "cert-manager",
		"namespace of the Secrets that ClusterIssuers name")
	flags.BoolVar(&s.gatewayAPI, "enable-gateway-api", false,
		"let HTTPRoutes lead to the pods that answer HTTP-01 challenges; the Gateway API has to be there")
	flags.StringVar(&s.solverImage, "acme-http01-solver-image", "",
		"image of the pods that answer HTTP-01 challenges; its entry point is acmesolver")
	flags.StringVar(&s.kubeconfig, "kubeconfig", "", "where the API server is; none inside a cluster")
	flags.StringVar(&s.healthAddress, "internal-healthz-listen-address", "0.0.0.0:9403", "address of /livez")
	flags.StringVar(&s.metricsAddress, "metrics-listen-address", "0.0.0.0:9402", "address of /metrics")
	flags.BoolVar(&s.version, "version", false, "tell the version and end")
}

// options are upstream's documented defaults where no flag says otherwise.
func (s *settings) options() certmanager.ContextOptions {
	return certmanager.ContextOptions{
		Kubeconfig:         s.kubeconfig,
		KubernetesAPIQPS:   20,
		KubernetesAPIBurst: 50,
		IssuerOptions: certmanager.IssuerOptions{
			ClusterResourceNamespace:        s.clusterResourceNamespace,
			ClusterIssuerAmbientCredentials: true,
		},
		ACMEOptions: certmanager.ACMEOptions{
			HTTP01SolverImage:                 s.solverImage,
			HTTP01SolverResourceRequestCPU:    resource.MustParse("10m"),
			HTTP01SolverResourceRequestMemory: resource.MustParse("64Mi"),
			HTTP01SolverResourceLimitsCPU:     resource.MustParse("100m"),
			HTTP01SolverResourceLimitsMemory:  resource.MustParse("64Mi"),
			ACMEHTTP01SolverRunAsNonRoot:      true,
			DNS01CheckAuthoritative:           true,
			DNS01CheckRetryPeriod:             10 * time.Second,
		},
		IngressShimOptions: certmanager.IngressShimOptions{
			DefaultIssuerKind:                 "Issuer",
			DefaultIssuerGroup:                "cert-manager.io",
			DefaultAutoCertificateAnnotations: []string{"kubernetes.io/tls-acme"},
		},
		CertificateOptions: certmanager.CertificateOptions{
			CopiedAnnotationPrefixes:                 []string{"*", "-kubectl.kubernetes.io/", "-fluxcd.io/", "-argocd.argoproj.io/"},
			CertificateRequestMinimumBackoffDuration: time.Hour,
			CertificateRequestMaximumBackoffDuration: 32 * time.Hour,
		},
		ConfigOptions:    certmanager.ConfigOptions{EnableGatewayAPI: s.gatewayAPI},
		SchedulerOptions: certmanager.SchedulerOptions{MaxConcurrentChallenges: 60},
	}
}
