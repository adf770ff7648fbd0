"""What scripts/slim/train.py and scripts/slim/bench.py are made of: teachers, pictures, bank, student."""
