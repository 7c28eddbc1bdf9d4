package city.sensorthings.jdbc;

import java.lang.instrument.Instrumentation;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.Driver;
import java.sql.DriverManager;
import java.sql.DriverPropertyInfo;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.util.Properties;
import java.util.logging.Logger;

/**
 * PostgreSQL's own driver, for jdbc:committed:postgresql://…, but that a COMMIT that fails throws an unchecked exception.
 *
 * FROST-Server catches an SQLException of a COMMIT, logs it and answers 201 nevertheless; any other exception ends the
 * request with 500. In the first seconds of an outage it waits for a server.
 */
public final class CommittedDriver implements Driver {

    private static final String PREFIX = "jdbc:committed:";
    private static final String DELEGATE = "org.postgresql.Driver";

    private static final long PAUSE_MILLIS = 100;

    private final Outage outage = new Outage();
    private volatile Driver delegate;

    /** Makes it known to the JVM, as a Java agent: so its file needs no place in an image's class path. */
    public static void premain(String arguments, Instrumentation instrumentation) throws SQLException {
        DriverManager.registerDriver(new CommittedDriver());
    }

    @Override
    public boolean acceptsURL(String url) {
        return url.startsWith(PREFIX);
    }

    @Override
    public Connection connect(String url, Properties properties) throws SQLException {
        if (!acceptsURL(url)) {
            return null;
        }
        Connection connection = connectPatiently(delegate(), delegated(url), properties);
        return connection == null ? null : committed(connection);
    }

    /** While one server hands over to another, none takes writes: whoever asks just then waits instead of failing. */
    private Connection connectPatiently(Driver driver, String url, Properties properties) throws SQLException {
        while (true) {
            try {
                Connection connection = driver.connect(url, properties);
                outage.ended();
                return connection;
            } catch (SQLException failed) {
                if (!nobodyServes(failed) || !outage.isYoung()) {
                    throw failed;
                }
                pause(failed);
            }
        }
    }

    private static boolean nobodyServes(SQLException failed) {
        String state = failed.getSQLState();
        // Connection exceptions, and a server that starts or ends: the appendix "PostgreSQL Error Codes".
        return state != null && (state.startsWith("08") || state.equals("57P03"));
    }

    private static void pause(SQLException failed) throws SQLException {
        try {
            Thread.sleep(PAUSE_MILLIS);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw failed;
        }
    }

    private static String delegated(String url) {
        return "jdbc:" + url.substring(PREFIX.length());
    }

    private Driver delegate() throws SQLException {
        if (delegate == null) {
            // The agent's own class loader knows nothing of what a web application brings along.
            ClassLoader loader = Thread.currentThread().getContextClassLoader();
            try {
                delegate = (Driver) Class.forName(DELEGATE, true, loader).getDeclaredConstructor().newInstance();
            } catch (ReflectiveOperationException missing) {
                throw new SQLException(DELEGATE + " is not there", missing);
            }
        }
        return delegate;
    }

    private static Connection committed(Connection connection) {
        Class<?>[] types = {Connection.class};
        return (Connection) Proxy.newProxyInstance(CommittedDriver.class.getClassLoader(), types,
                (self, method, arguments) -> call(connection, self, method, arguments));
    }

    private static Object call(Connection connection, Object self, Method method, Object[] arguments)
            throws Throwable {
        if (method.getName().equals("equals")) {
            return self == arguments[0];
        }
        try {
            return method.invoke(connection, arguments);
        } catch (InvocationTargetException failed) {
            Throwable cause = failed.getCause();
            if (method.getName().equals("commit") && cause instanceof SQLException) {
                throw new IllegalStateException("the database did not confirm the COMMIT, which may have happened or not: "
                        + cause.getMessage(), cause);
            }
            throw cause;
        }
    }

    @Override
    public DriverPropertyInfo[] getPropertyInfo(String url, Properties properties) throws SQLException {
        return delegate().getPropertyInfo(delegated(url), properties);
    }

    @Override
    public int getMajorVersion() {
        return 1;
    }

    @Override
    public int getMinorVersion() {
        return 0;
    }

    @Override
    public boolean jdbcCompliant() {
        return false;
    }

    @Override
    public Logger getParentLogger() throws SQLFeatureNotSupportedException {
        throw new SQLFeatureNotSupportedException();
    }
}
