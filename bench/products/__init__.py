"""One module a product: its configuration, as fast as we know how to make it, and how it is started.

    for product in PRODUCTS:
        with product.start(stage) as running:
            running.port

Everybody gets TLS 1.3 with the same certificate, HTTP/1.1 and HTTP/2, connections to the upstream that stay open, no
limit on the requests of a connection, and an access log in the fastest form that the product offers.
"""

from bench.products import caddy, haproxy, nginx, portward, traefik
from bench.products.product import Product, Running

PRODUCTS = (haproxy.BARE, nginx.BARE, nginx.AUTH_REQUEST, caddy.FORWARD_AUTH, traefik.FORWARD_AUTH, portward.WHOLE)

__all__ = ["PRODUCTS", "Product", "Running"]
