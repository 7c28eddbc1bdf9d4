package city.sensorthings.frost;

import de.fraunhofer.iosb.ilt.frostserver.persistence.pgjooq.PostgresPersistenceManager;

/**
 * FROST's persistence on PostgreSQL, for which a request fails whose COMMIT failed. FROST Core itself logs that and
 * answers 201 or 200, though the connection may have gone before the database had anything.
 */
public final class CommittedPersistence extends PostgresPersistenceManager {

    @Override
    protected boolean doCommit() {
        if (super.doCommit()) {
            return true;
        }
        // Nobody else would give the connection back to its pool.
        doClose();
        throw new IllegalStateException("The database did not confirm the COMMIT: it may have happened or not.");
    }
}
