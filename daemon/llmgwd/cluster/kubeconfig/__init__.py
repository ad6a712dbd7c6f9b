"""Kubeconfigs: their files found, parsed off the loop, and checked as kubectl checks them.

It may import what lies below the cluster, and nothing of the rest of it.
"""
