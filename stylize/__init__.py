"""The style transfer itself: arrays in, picture out.

The losses, the VGG-19 backbones and their weights, the optimisers and the `Stylizer` that joins them. It
knows nothing of files of pictures, of video, or of the command line. Importing this package loads nothing.
"""
