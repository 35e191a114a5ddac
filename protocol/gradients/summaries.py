"""Of what is only looked at there is no gradient."""

from protocol.gradients.registry import no_gradient

no_gradient("histogram_buckets")
