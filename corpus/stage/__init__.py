"""What every stage needs: manifest, workspace, lock, progress."""
