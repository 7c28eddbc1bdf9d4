package city.sensorthings.frost;

import de.fraunhofer.iosb.ilt.frostserver.messagebus.MessageBusFactory;
import de.fraunhofer.iosb.ilt.frostserver.path.Version;
import de.fraunhofer.iosb.ilt.frostserver.persistence.PersistenceManagerFactory;
import de.fraunhofer.iosb.ilt.frostserver.service.Service;
import de.fraunhofer.iosb.ilt.frostserver.service.ServiceRequestBuilder;
import de.fraunhofer.iosb.ilt.frostserver.service.ServiceResponse;
import de.fraunhofer.iosb.ilt.frostserver.service.ServiceResponseDefault;
import de.fraunhofer.iosb.ilt.frostserver.settings.CoreSettings;
import de.fraunhofer.iosb.ilt.frostserver.settings.Settings;
import de.fraunhofer.iosb.ilt.frostserver.util.AuthProvider;
import de.fraunhofer.iosb.ilt.frostserver.util.HttpMethod;
import java.net.URI;
import java.nio.file.Files;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import java.util.logging.LogManager;
import org.apache.catalina.Context;
import org.apache.catalina.LifecycleException;
import org.apache.catalina.filters.CorsFilter;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.util.descriptor.web.FilterDef;
import org.apache.tomcat.util.descriptor.web.FilterMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.bridge.SLF4JBridgeHandler;

/**
 * A development HTTP server over FROST Core: it exists because the upstream HTTP module is in no package registry.
 * Settings are FROST's own, from the environment ('.' written as '_').
 */
public final class FrostHttpServer {

    private static final Logger LOGGER = LoggerFactory.getLogger(FrostHttpServer.class);
    /** FROST_HTTP_PORT is for running outside a container; 0 takes any free port. */
    private static final int PORT = Integer.parseInt(System.getenv().getOrDefault("FROST_HTTP_PORT", "8080"));
    /** For how long a broker or a database that does not answer holds up the listening. */
    private static final long DEPENDENCY_MILLIS = 10_000;
    /** Time in which clients learn, by "Connection: close", to come back to another server. */
    private static final long DRAIN_MILLIS = 500;
    private static final long IN_FLIGHT_MILLIS = 5000;
    /** As in the server.xml of upstream's Tomcat, and not the 60 s of an embedded one. */
    private static final String KEEP_ALIVE_MILLIS = "20000";

    private final CoreSettings settings;
    private final Tomcat tomcat = new Tomcat();
    private final SensorThingsServlet servlet;

    private FrostHttpServer(CoreSettings settings) {
        this.settings = settings;
        this.servlet = new SensorThingsServlet(settings);
    }

    public static void main(String[] arguments) throws Exception {
        LogManager.getLogManager().reset();
        SLF4JBridgeHandler.install();
        FrostHttpServer server = new FrostHttpServer(new CommittedSettings(upstreamDefaults()));
        Runtime.getRuntime().addShutdownHook(new Thread(server::stop, "stop"));
        server.start();
    }

    /** What the upstream HTTP module sets where it differs from Core's own defaults. */
    private static Properties upstreamDefaults() throws Exception {
        Properties defaults = new Properties();
        defaults.setProperty(CoreSettings.TAG_DEFAULT_COUNT, "false");
        defaults.setProperty(CoreSettings.TAG_SERVICE_ROOT_URL, "http://localhost:" + PORT + "/FROST-Server");
        defaults.setProperty(CoreSettings.TAG_TEMP_PATH, Files.createTempDirectory("frost").toString());
        return defaults;
    }

    private void start() throws Exception {
        // Each of the three waits for something else (broker, database, class loading), so they start side by side.
        // Initialising the persistence creates or updates the schema where that is switched on.
        Thread bus = startThread("bus-start", () -> MessageBusFactory.createMessageBus(settings));
        Thread database = startThread("database-start", () -> PersistenceManagerFactory.init(settings));
        prepareTomcat();
        bus.join(DEPENDENCY_MILLIS);
        database.join(DEPENDENCY_MILLIS);
        warmUp();
        tomcat.start();
        LOGGER.info("Listening on port {}, context path {}", tomcat.getConnector().getLocalPort(), contextPath());
        tomcat.getServer().await();
    }

    private static Thread startThread(String name, Runnable work) {
        Thread thread = new Thread(work, name);
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    /** Loads what the first request needs, while nobody waits for it. It needs the bus to be there. */
    private void warmUp() {
        if (settings.getMessageBus() == null) {
            return;
        }
        try (Service service = new Service(settings)) {
            ServiceResponse response = service.execute(
                    new ServiceRequestBuilder(settings, Version.V_1_1)
                            .withUrlPath("/Things")
                            .withUrlQuery("$top=1")
                            .withContent("")
                            .withRequestType(service.getRequestType(HttpMethod.GET, Version.V_1_1, "/Things", null))
                            .build(),
                    new ServiceResponseDefault());
            if (!response.isSuccessful()) {
                LOGGER.warn("The database did not answer at start ({}); requests try again.", response.getCode());
            }
        }
    }

    private String contextPath() {
        String path = URI.create(settings.getQueryDefaults().getServiceRootUrl()).getPath();
        return path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
    }

    private void prepareTomcat() throws Exception {
        String base = settings.getTempPath();
        tomcat.setBaseDir(base);
        tomcat.setPort(PORT);
        // Ids may hold slashes, as in Things('a%2Fb').
        tomcat.getConnector().setEncodedSolidusHandling("decode");
        tomcat.getConnector().setURIEncoding("UTF-8");
        // Lets the stop close the door first: who comes then is refused instead of being cut off.
        tomcat.getConnector().setProperty("bindOnInit", "false");
        tomcat.getConnector().setProperty("keepAliveTimeout", KEEP_ALIVE_MILLIS);
        Context context = tomcat.addContext(contextPath(), base);
        addCors(context);
        addAuthentication(context);
        context.addServletContainerInitializer(
                (classes, servletContext) -> servletContext.addServlet("SensorThings", servlet).addMapping("/*"), null);
    }

    private void addCors(Context context) {
        Settings http = settings.getHttpSettings();
        if (!http.getBoolean(CoreSettings.TAG_CORS_ENABLE, CoreSettings.class)) {
            return;
        }
        FilterDef filter = new FilterDef();
        filter.setFilterName("cors");
        filter.setFilterClass(CorsFilter.class.getName());
        for (String name : new String[] {
            CoreSettings.TAG_CORS_ALLOWED_ORIGINS, CoreSettings.TAG_CORS_ALLOWED_METHODS,
            CoreSettings.TAG_CORS_ALLOWED_HEADERS, CoreSettings.TAG_CORS_EXPOSED_HEADERS,
            CoreSettings.TAG_CORS_SUPPORT_CREDENTIALS, CoreSettings.TAG_CORS_PREFLIGHT_MAXAGE,
            CoreSettings.TAG_CORS_REQUEST_DECORATE}) {
            filter.addInitParameter(name, http.get(name, CoreSettings.class));
        }
        FilterMap map = new FilterMap();
        map.setFilterName(filter.getFilterName());
        map.addURLPattern("/*");
        context.addFilterDef(filter);
        context.addFilterMap(map);
    }

    private void addAuthentication(Context context) throws ReflectiveOperationException {
        String provider = settings.getAuthSettings().get(CoreSettings.TAG_AUTH_PROVIDER, "");
        if (provider.isEmpty()) {
            return;
        }
        AuthProvider authentication =
                Class.forName(provider).asSubclass(AuthProvider.class).getDeclaredConstructor().newInstance();
        authentication.init(settings);
        settings.addLiquibaseUser(authentication);
        context.addServletContainerInitializer(
                (classes, servletContext) -> {
                    // Where the filter of FROST-Server looks for its settings.
                    servletContext.setAttribute(CoreSettings.TAG_CORE_SETTINGS, settings);
                    authentication.addFilter(servletContext, settings);
                },
                null);
    }

    private void stop() {
        int status = 0;
        try {
            tomcat.getConnector().getProtocolHandler().closeServerSocketGraceful();
            servlet.drain();
            TimeUnit.MILLISECONDS.sleep(DRAIN_MILLIS);
            tomcat.getConnector().pause();
            if (!servlet.awaitIdle(IN_FLIGHT_MILLIS)) {
                LOGGER.warn("Requests still running after {} ms are cut off.", IN_FLIGHT_MILLIS);
                status = 1;
            }
            tomcat.stop();
            if (settings.getMessageBus() != null) {
                settings.getMessageBus().stop();
            }
            LOGGER.info("Stopped.");
        } catch (LifecycleException | InterruptedException | RuntimeException e) {
            LOGGER.error("Did not stop cleanly.", e);
            status = 1;
        }
        // A JVM ended by SIGTERM exits with 143; an orderly stop is a success.
        Runtime.getRuntime().halt(status);
    }
}
