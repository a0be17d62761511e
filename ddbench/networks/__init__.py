"""The built-in networks: ConvNet-D, the field's other students, the MLP, any timm classifier, the choice by shape."""
