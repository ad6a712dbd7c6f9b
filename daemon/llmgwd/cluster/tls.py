"""The TLS contexts of one cluster: made of what its kubeconfig names and a login shows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llmgwd.cluster.auth.entry_rules import refuse_insecure_authority
from llmgwd.cluster.kubeconfig import kubeconfig as kube
from llmgwd.net.tls import ClientCertificate, ResumingContext, Trust, client_context

if TYPE_CHECKING:
    from llmgwd.cluster.auth.credentials import Credential
    from llmgwd.net.dial import Dialer


class ClusterTls:
    """Gives the context for a credential, made anew only when what it is made of changed.

    Connections are kept by the context that they were made with: another context, another pool.
    """

    def __init__(self, chosen: kube.Kubeconfig) -> None:
        """Raises Blocked: a certificate or key in the kubeconfig is not base64."""
        cluster, user = chosen.cluster, chosen.user
        refuse_insecure_authority(cluster)
        self._is_used = chosen.server.is_tls
        self.is_verified = not cluster.flag("insecure-skip-tls-verify")
        self._authorities = kube.read_pem(cluster, "certificate-authority")
        self._chain = kube.read_pem(user, "client-certificate")
        self._key = kube.read_pem(user, "client-key")
        self._pems = (self._authorities, self._chain, self._key)
        self.files = tuple(pem.path for pem in self._pems if pem and pem.path)
        self._made_of: object = None
        self._context: ResumingContext | None = None

    def context(self, credential: Credential) -> ResumingContext | None:
        """The context for a connection, or None: the server speaks plain HTTP.

        Raises:
            Blocked: an authority, certificate or key cannot be read.
        """
        if not self._is_used:
            return None
        made_of = (credential.certificate, *(pem and pem.stamp() for pem in self._pems))
        if self._context is None or made_of != self._made_of:
            certificate = credential.certificate or self._certificate()
            self._context = client_context(self._trust(), certificate)
            self._made_of = made_of
        return self._context

    def armed(self, dialer: Dialer, credential: Credential) -> Dialer:
        """The dialer with its contexts. For an https proxy the server's own rules hold, as in
        kubectl, in a context of its own: the server's offers the server's session.

        Raises:
            Blocked: as `context`.
        """
        to_proxy = None
        if dialer.proxy is not None and dialer.proxy.is_tls:
            certificate = credential.certificate or self._certificate()
            to_proxy = client_context(self._trust(), certificate)
        return replace(dialer, tls=self.context(credential), proxy_tls=to_proxy)

    def forget(self) -> None:
        """Make the next connections anew: those that are open may be dead."""
        self._context = None

    def _trust(self) -> Trust:
        pem = self._authorities
        return Trust(
            authorities=pem.read() if pem else None,
            origin=pem.origin if pem else "the system's authorities",
            is_verified=self.is_verified,
        )

    def _certificate(self) -> ClientCertificate | None:
        if self._chain is None or self._key is None:
            return None
        return ClientCertificate(self._chain.read(), self._key.read(), self._chain.origin)
