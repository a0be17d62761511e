"""Try a codec before it is a plug-in: what it stores, what it costs, what it loses: `python try_a_codec.py`.

For suites, name it in a package's entry points (README, "A codec in 20 lines"); worker processes find it there.
"""

import torch
import torch.nn.functional as F

from ddbench import registry
from ddbench.cost import cost_of
from ddbench.interfaces.codec import Codec, Decoded, Target
from ddbench.leaf import Leaf


class Mosaic(Codec):
    """Stores the means of 2 × 2 blocks; decodes by repeating them."""

    version = "1"
    source = "this example"
    code_leaf = "blocks"

    def leaves(self):
        c, h, w = self.target.signal.shape
        return (Leaf("blocks", "item", (c, h // 2, w // 2), lr_scale=1 / 4),)

    def encode(self, x, y, shared):
        return {"blocks": F.avg_pool2d(x, 2)}

    def decode(self, codes, y, generator):
        x = codes["blocks"].repeat_interleave(2, -1).repeat_interleave(2, -2)
        return Decoded(x, torch.arange(len(x), device=x.device))


dataset = registry.build("dataset", "fashion_mnist_small")
card, (train, _) = dataset.card(), dataset.load()
codec = Mosaic(None, Target(card.signal, card.n_classes, 31360, "float32", card.name))
assert registry.contract_faults("codec", Mosaic) == []

x, y = card.signal.normalise(train.signals[:100]), train.labels[:100]
decoded = codec.decode(codec.encode(x, y, {}), y, None).signals
error = (card.signal.denormalise(decoded) - card.signal.denormalise(x)).square().mean()
print(f"{cost_of(codec.leaves(), 'float32').item} bytes an item, PSNR {-10 * torch.log10(error):.1f} dB")
