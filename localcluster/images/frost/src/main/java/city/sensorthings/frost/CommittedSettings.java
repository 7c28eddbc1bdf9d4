package city.sensorthings.frost;

import de.fraunhofer.iosb.ilt.frostserver.persistence.pgjooq.PostgresPersistenceManager;
import de.fraunhofer.iosb.ilt.frostserver.settings.CoreSettings;
import de.fraunhofer.iosb.ilt.frostserver.settings.PersistenceSettings;
import java.util.Properties;

/** FROST's settings, with {@link CommittedPersistence} where they name its own persistence on PostgreSQL. */
final class CommittedSettings extends CoreSettings {

    private PersistenceSettings persistence;

    CommittedSettings(Properties properties) {
        super(properties);
    }

    @Override
    public PersistenceSettings getPersistenceSettings() {
        // Core asks for them within its constructor, before this class could make them in its own.
        if (persistence == null) {
            persistence = new Persistence(super.getPersistenceSettings());
        }
        return persistence;
    }

    private static final class Persistence extends PersistenceSettings {

        Persistence(PersistenceSettings given) {
            super(given.getCustomSettings());
        }

        @Override
        public String getPersistenceManagerImplementationClass() {
            String given = super.getPersistenceManagerImplementationClass();
            boolean own = given.equals(PostgresPersistenceManager.class.getName());
            return own ? CommittedPersistence.class.getName() : given;
        }
    }
}
