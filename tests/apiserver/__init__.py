"""Tests against a real etcd, kube-apiserver and kube-controller-manager on loopback, without a node."""
