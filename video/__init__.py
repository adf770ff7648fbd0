"""Frames and motion: probing, decoding, encoding, pictures, optical flow and shots. No tensors here."""
