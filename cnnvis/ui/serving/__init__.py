"""What any page needs: queues, files, photos, a cache, memory, a GPU."""
