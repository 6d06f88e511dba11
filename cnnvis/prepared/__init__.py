"""What is made ahead and kept in files: shelves of photos with their index, atlases, the quiz."""
