"""What the project's makers run: tests of endurance, measurements, training, pictures of the documents."""
