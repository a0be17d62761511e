"""The built-in networks: ConvNet-D, the MLP, any timm classifier, and the choice by shape."""
