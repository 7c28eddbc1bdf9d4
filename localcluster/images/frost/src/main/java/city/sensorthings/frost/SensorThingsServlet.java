package city.sensorthings.frost;

import de.fraunhofer.iosb.ilt.frostserver.path.Version;
import de.fraunhofer.iosb.ilt.frostserver.service.Service;
import de.fraunhofer.iosb.ilt.frostserver.service.ServiceRequest;
import de.fraunhofer.iosb.ilt.frostserver.service.ServiceRequestBuilder;
import de.fraunhofer.iosb.ilt.frostserver.service.ServiceResponse;
import de.fraunhofer.iosb.ilt.frostserver.settings.CoreSettings;
import de.fraunhofer.iosb.ilt.frostserver.util.HttpMethod;
import de.fraunhofer.iosb.ilt.frostserver.util.StringHelper;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.Phaser;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Hands each HTTP request to FROST Core's {@link Service} and its answer back. */
final class SensorThingsServlet extends HttpServlet {

    private static final long serialVersionUID = 1L;
    private static final Logger LOGGER = LoggerFactory.getLogger(SensorThingsServlet.class);
    private static final String ALLOWED = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
    private static final Map<String, HttpMethod> METHODS = Map.of(
            "GET", HttpMethod.GET, "HEAD", HttpMethod.GET, "POST", HttpMethod.POST,
            "PUT", HttpMethod.PUT, "PATCH", HttpMethod.PATCH, "DELETE", HttpMethod.DELETE);

    private final transient CoreSettings settings;
    /** One party for the servlet itself, one for each running request. */
    private final transient Phaser running = new Phaser(1);
    private volatile boolean draining;

    SensorThingsServlet(CoreSettings settings) {
        this.settings = settings;
    }

    /** From now on every answer asks its client to open a new connection. */
    void drain() {
        draining = true;
    }

    /** Waits until no request is running; false when some still are after the given time. */
    boolean awaitIdle(long millis) throws InterruptedException {
        try {
            running.awaitAdvanceInterruptibly(running.arriveAndDeregister(), millis, TimeUnit.MILLISECONDS);
            return true;
        } catch (TimeoutException e) {
            return false;
        }
    }

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
        running.register();
        try {
            if (draining) {
                response.setHeader("Connection", "close");
            }
            answer(request, response);
        } catch (RuntimeException e) {
            LOGGER.error("{} {} failed.", request.getMethod(), StringHelper.cleanForLogging(request.getRequestURI()), e);
            if (!response.isCommitted()) {
                response.reset();
                error(response, 500, "Failed to handle the request; the server's log says why.");
            }
        } finally {
            running.arriveAndDeregister();
        }
    }

    private void answer(HttpServletRequest request, HttpServletResponse response) throws IOException {
        String path = path(request);
        if (request.getMethod().equals("OPTIONS")) {
            response.setHeader("Allow", ALLOWED);
            return;
        }
        HttpMethod method = METHODS.get(request.getMethod());
        if (method == null) {
            response.setHeader("Allow", ALLOWED);
            error(response, 405, "Method " + request.getMethod() + " is not supported.");
        } else if (path.isEmpty() || path.equals("/")) {
            welcome(response);
        } else {
            execute(method, path, request, response);
        }
    }

    /** The path below the context path, decoded once, with repeated slashes kept: they may stand in an id. */
    private static String path(HttpServletRequest request) {
        String encoded = request.getRequestURI().substring(request.getContextPath().length());
        return StringHelper.urlDecode(encoded.replace("+", "%2B"));
    }

    /** Core parses the decoded query: its own grammar keeps an ampersand in a quoted string apart. */
    private static String query(HttpServletRequest request) {
        return request.getQueryString() == null ? null : StringHelper.urlDecode(request.getQueryString());
    }

    private void execute(HttpMethod method, String path, HttpServletRequest request, HttpServletResponse response)
            throws IOException {
        int end = path.indexOf('/', 1);
        String versionPart = end < 0 ? path.substring(1) : path.substring(1, end);
        String resource = end < 0 ? "" : path.substring(end);
        Version version = settings.getPluginManager().getVersion(versionPart);
        if (version == null) {
            error(response, 404, "No such version: " + versionPart);
            return;
        }
        try (Service service = new Service(settings)) {
            String requestType = service.getRequestType(method, version, resource, request.getContentType());
            if (requestType == null) {
                error(response, 404, "Nothing here answers " + method + ".");
                return;
            }
            ServiceRequest serviceRequest = new ServiceRequestBuilder(settings, version)
                    .withRequestType(requestType)
                    .withUrlPath(resource)
                    .withUrlQuery(query(request))
                    .withContent(request.getInputStream())
                    .withContentType(request.getContentType())
                    .withUserPrincipal(request.getUserPrincipal())
                    .build();
            ServiceResponse answer = service.execute(serviceRequest, new ServletServiceResponse(response));
            if (!answer.isSuccessful() && response.getContentType() == null) {
                error(response, answer.getCode(), answer.getMessage());
            }
        }
    }

    private static void welcome(HttpServletResponse response) throws IOException {
        response.setContentType("text/html;charset=UTF-8");
        response.getWriter().write("<!DOCTYPE html><title>SensorThings API</title>"
                + "<p>Development server over FROST Core; not the upstream HTTP module."
                + "<p><a href=\"v1.1\">SensorThings API v1.1</a>\n");
    }

    private static void error(HttpServletResponse response, int code, String message) throws IOException {
        response.setStatus(code);
        response.setContentType("application/json;charset=UTF-8");
        response.getWriter().write(
                "{\"code\":" + code + ",\"type\":\"error\",\"message\":"
                        + new com.fasterxml.jackson.databind.node.TextNode(message) + "}");
    }
}
